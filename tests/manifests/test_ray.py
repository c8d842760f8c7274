"""What stands in the RayService: where calls enter, what survives an update, and what Ray is told."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.manifests.chart import ROOT, Refused, environment, manifests, of_kind

RAY: dict[str, Any] = {"cpu": {"enabled": False}, "ray": {"enabled": True}}


def _spec(**ray: object) -> dict[str, Any]:
    (service,) = of_kind("RayService", manifests({**RAY, "ray": {"enabled": True, **ray}}))
    made: dict[str, Any] = service["spec"]
    return made


def _groups(spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    cluster = spec["rayClusterConfig"]
    (workers,) = cluster["workerGroupSpecs"]
    return cluster["headGroupSpec"], workers


def _pods(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [group["template"]["spec"] for group in _groups(spec)]


def test_rest_and_grpc_are_on_the_service_and_on_the_proxy_of_the_head() -> None:
    spec = _spec()
    head, worker = (pod["containers"][0] for pod in _pods(spec))

    config = yaml.safe_load(spec["serveConfigV2"])
    assert config["proxy_location"] == "HeadOnly"
    ports = {"serve": config["http_options"]["port"], "serve-grpc": config["grpc_options"]["port"]}
    assert ports == {"serve": 8000, "serve-grpc": 9000}
    assert ports == {port["name"]: port["port"] for port in spec["serveService"]["spec"]["ports"]}
    assert ports.items() <= {port["name"]: port["containerPort"] for port in head["ports"]}.items()
    assert "ports" not in worker


def test_what_ray_serve_is_told_to_import_is_there() -> None:
    spec = _spec()
    config = yaml.safe_load(spec["serveConfigV2"])
    (application,) = config["applications"]
    (servicer,) = config["grpc_options"]["grpc_servicer_functions"]
    variables = environment(_pods(spec)[0]["containers"][0])

    named = (application["import_path"], servicer, variables["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"])

    for path in named:
        module, _, name = path.replace(":", ".").rpartition(".")
        source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text()
        assert re.search(rf"^def {name}\(", source, re.MULTILINE), path


def test_workers_are_never_ready_and_so_never_in_the_service() -> None:
    head, worker = (pod["containers"][0] for pod in _pods(_spec()))

    assert worker["readinessProbe"]["httpGet"] == {"path": "/-/healthz", "port": 8000}  # of a proxy, and it has none
    assert "readinessProbe" not in head  # KubeRay's own


def test_stages_run_on_workers_only() -> None:
    head, workers = _groups(_spec(workers={"cpus": 4}))

    assert (head["rayStartParams"]["num-cpus"], workers["rayStartParams"]["num-cpus"]) == ("0", "4")


def test_connections_end_and_calls_are_answered_before_the_old_cluster_is_deleted() -> None:
    spec = _spec()
    variables = environment(_pods(spec)[0]["containers"][0])

    age = float(variables["PREDICTOR_RAY_CONNECTION_SECONDS"])
    unused = yaml.safe_load(spec["serveConfigV2"])["http_options"]["keep_alive_timeout_s"]
    assert spec["rayClusterDeletionDelaySeconds"] >= age + unused + float(variables["PREDICTOR_GRACE_SECONDS"])
    assert spec["upgradeStrategy"] == {"type": "NewCluster"}


def test_pods_have_the_time_to_finish_and_the_head_takes_late_calls_meanwhile() -> None:
    head, worker = _pods(_spec())

    assert head["terminationGracePeriodSeconds"] == worker["terminationGracePeriodSeconds"] == 70
    assert head["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert "lifecycle" not in worker["containers"][0]


def test_a_head_and_two_workers_fit_twice_on_two_cores() -> None:
    requests = [pod["containers"][0]["resources"]["requests"]["cpu"] for pod in _pods(_spec())]

    millicores = [int(each.removesuffix("m")) for each in requests]
    assert 2 * (millicores[0] + 2 * millicores[1]) <= 2000


def test_every_pod_passes_the_restricted_standard_and_tells_nobody_that_ray_is_used() -> None:
    for pod in _pods(_spec(workers={"max": 4})):
        (node,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["enableServiceLinks"] is False
        assert node["securityContext"]["readOnlyRootFilesystem"] is True
        assert node["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert environment(node)["RAY_USAGE_STATS_ENABLED"] == "0"
        assert {"name": "tmp", "mountPath": "/tmp"} in node["volumeMounts"]  # noqa: S108


def test_labels_leave_alone_what_kuberays_services_go_by() -> None:
    for group in _groups(_spec(podLabels={"team": "media"})):
        labels = group["template"]["metadata"]["labels"]

        assert labels == {
            "app.kubernetes.io/component": "ray",
            "app.kubernetes.io/instance": "faceswap",
            "team": "media",
        }


def test_prometheus_reads_the_head_where_the_entrance_is_once() -> None:
    annotated, others = (group["template"]["metadata"] for group in _groups(_spec()))
    objects = manifests({**RAY, "podMonitor": {"enabled": True, "labels": {"team": "media"}}})
    (monitor,), (service,) = of_kind("PodMonitor", objects), of_kind("RayService", objects)
    head, _ = _groups(service["spec"])

    assert annotated["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "8000",
        "prometheus.io/path": "/metrics",
    }
    assert "annotations" not in others
    assert "annotations" not in head["template"]["metadata"]
    assert monitor["metadata"]["labels"]["team"] == "media"
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.pop("ray.io/node-type") == "head"  # KubeRay's own
    assert wanted.items() <= head["template"]["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("serve", "/metrics")


def test_the_autoscaler_is_there_where_there_is_something_to_scale() -> None:
    fixed, scaled = (_spec(workers={"min": 2, "max": most}) for most in (2, 4))

    assert "enableInTreeAutoscaling" not in fixed["rayClusterConfig"]
    assert scaled["rayClusterConfig"]["enableInTreeAutoscaling"] is True
    options = scaled["rayClusterConfig"]["autoscalerOptions"]
    assert options["securityContext"] == _pods(scaled)[0]["containers"][0]["securityContext"]
    assert [pod["automountServiceAccountToken"] for pod in _pods(fixed)] == [False, False]
    assert [pod["automountServiceAccountToken"] for pod in _pods(scaled)] == [True, False]
    assert [_groups(scaled)[1][name] for name in ("replicas", "minReplicas", "maxReplicas")] == [2, 2, 4]


def test_kuberay_adds_nothing_to_the_list_of_workers_that_helm_would_then_not_change() -> None:
    assert _groups(_spec())[1]["scaleStrategy"] == {}


def test_weights_come_from_the_claim_on_every_node() -> None:
    values = {**RAY, "model": {"recipe": "onnx"}, "weights": {"claim": {"create": True}, "pull": {"enabled": True}}}
    objects = manifests(values)
    (service,), (job,) = of_kind("RayService", objects), of_kind("Job", objects)

    for pod in _pods(service["spec"]):
        (node,) = pod["containers"]
        claim = {"claimName": "faceswap-weights", "readOnly": True}
        assert {"name": "weights", "persistentVolumeClaim": claim} in pod["volumes"]
        assert {"name": "weights", "mountPath": "/mnt/models", "readOnly": True} in node["volumeMounts"]
        assert environment(node)["PREDICTOR_WEIGHTS_DIR"] == "/mnt/models"
        assert "STORAGE_URI" not in environment(node)
    (puller,) = job["spec"]["template"]["spec"]["containers"]
    assert puller["image"] == "localhost/faceswap-predictor:dev-ray"


def test_the_test_of_helm_calls_its_service() -> None:
    (test,) = of_kind("Pod", manifests(RAY))

    assert (
        "http://faceswap-ray-serve-svc.default.svc:8000/v1/models/faceswap" in test["spec"]["containers"][0]["command"]
    )


def test_a_digest_or_a_mode_of_the_others_is_not_its_own() -> None:
    values = {"image": {"digest": "sha256:" + "0" * 64}, "deploymentMode": "Knative", "grpc": {"enabled": False}}
    (service,) = of_kind("RayService", manifests({**values, "ray": {"enabled": True}}))

    for pod in _pods(service["spec"]):
        assert pod["containers"][0]["image"] == "localhost/faceswap-predictor:dev-ray"
        assert pod["terminationGracePeriodSeconds"] == 70


def test_it_says_the_ray_that_the_image_has() -> None:
    (locked,) = re.findall(r"^ray==([0-9.]+)", (ROOT / "requirements/ray.txt").read_text(), re.MULTILINE)

    assert _spec()["rayClusterConfig"]["rayVersion"] == locked


@pytest.mark.parametrize(
    ("ray", "key"),
    [
        ({"replicas": 2}, "replicas"),
        ({"stages": {"replica": "2"}}, "replica"),
        ({"storageUris": []}, "storageUris"),
        ({"workers": {"num-cpus": 2}}, "num-cpus"),
    ],
)
def test_an_unknown_key_is_refused_by_name(ray: dict[str, object], key: str) -> None:
    with pytest.raises(Refused, match=f"additional properties '{key}' not allowed"):
        manifests({"ray": ray})
