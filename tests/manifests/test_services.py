"""What stands in the InferenceServices, value by value: what KServe would otherwise default badly, or drop."""

from __future__ import annotations

import json
from typing import Any

import pytest

from predictor.settings import Settings
from tests.manifests.chart import container, environment, manifests, of_kind, predictor, render_texts
from tests.manifests.validation import problems

GPU: dict[str, Any] = {"cpu": {"enabled": False}, "gpu": {"enabled": True}}
KNATIVE: dict[str, Any] = {"deploymentMode": "Knative", "grpc": {"enabled": False}}
WEIGHTS: dict[str, Any] = {"storageUris": [{"uri": "s3://weights"}]}


def _annotations(values: dict[str, Any]) -> dict[str, str]:
    (service,) = of_kind("InferenceService", manifests(values))
    made: dict[str, str] = service["metadata"]["annotations"]
    return made


def _with(values: dict[str, Any], **more: object) -> dict[str, Any]:
    return {**values, **more}


# ── names and modes ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("faceswap", {}, "faceswap-cpu"),
        ("faceswap-predictor", {}, "faceswap-predictor-cpu"),
        ("prod-faceswap-predictor", {}, "prod-faceswap-predictor-cpu"),
        ("prod", {}, "prod-faceswap-predictor-cpu"),
        ("prod", {"nameOverride": "swap"}, "prod-swap-cpu"),
        ("prod", {"fullnameOverride": "swap"}, "swap-cpu"),
    ],
)
def test_a_service_is_called_after_the_release(release: str, values: dict[str, Any], name: str) -> None:
    (service,) = of_kind("InferenceService", manifests(values, release))

    assert service["metadata"]["name"] == name


def test_cpu_and_gpu_stand_side_by_side_and_their_own_values_win() -> None:
    values = {
        "podLabels": {"team": "media"},
        "model": {"logLevel": "debug", "queueLength": 3},
        "extraEnv": [{"name": "A", "value": "1"}],
        "cpu": {"model": {"queueLength": 5}},
        "gpu": {"enabled": True, "extraEnv": [{"name": "B", "value": "2"}], "replicas": {"min": 2, "max": 2}},
    }

    cpu, gpu = (s["spec"]["predictor"] for s in of_kind("InferenceService", manifests(values)))

    on_cpu, on_gpu = (environment(p["containers"][0]) for p in (cpu, gpu))
    assert (on_cpu["PREDICTOR_LOG_LEVEL"], on_gpu["PREDICTOR_LOG_LEVEL"]) == ("debug", "debug")
    assert (on_cpu["PREDICTOR_QUEUE_LENGTH"], on_gpu["PREDICTOR_QUEUE_LENGTH"]) == ("5", "3")
    assert ("A" in on_cpu, "B" in on_cpu, "A" in on_gpu, "B" in on_gpu) == (True, False, False, True)
    assert (cpu["minReplicas"], gpu["minReplicas"]) == (1, 2)
    assert cpu["labels"]["team"] == gpu["labels"]["team"] == "media"


def test_false_zero_and_nothing_of_a_service_win_as_well() -> None:
    values = {
        "model": {"strictProvider": True, "queueLength": 4},
        "imagePullSecrets": [{"name": "registry"}],
        "cpu": {"model": {"strictProvider": False, "queueLength": 0}, "imagePullSecrets": []},
    }

    made = predictor(values)

    variables = environment(made["containers"][0])
    assert (variables["PREDICTOR_STRICT_PROVIDER"], variables["PREDICTOR_QUEUE_LENGTH"]) == ("false", "0")
    assert "imagePullSecrets" not in made


@pytest.mark.parametrize("mode", ["Standard", "Knative"])
def test_the_deployment_mode_is_always_written(mode: str) -> None:
    annotations = _annotations({"deploymentMode": mode, "grpc": {"enabled": mode == "Standard"}})

    assert annotations["serving.kserve.io/deploymentMode"] == mode
    assert annotations.get("serving.kserve.io/autoscalerClass") == ("none" if mode == "Standard" else None)


def test_no_label_of_a_service_changes_with_the_chart() -> None:
    (service,) = of_kind("InferenceService", manifests())

    assert set(service["metadata"]["labels"]) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}


def test_common_labels_and_annotations_stand_on_everything() -> None:
    values = {"commonLabels": {"team": "media"}, "commonAnnotations": {"contact": "us"}, "pdb": {"enabled": True}}

    for made in manifests(values):
        assert made["metadata"]["labels"]["team"] == "media"
        assert made["metadata"]["annotations"]["contact"] == "us"


# ── images and the container ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, "localhost/faceswap-predictor:dev"),
        (GPU, "localhost/faceswap-predictor:dev-gpu"),
        ({"image": {"registry": "", "tag": "v1"}}, "faceswap-predictor:v1"),
        ({"image": {"digest": "sha256:" + "0" * 64}}, f"localhost/faceswap-predictor@sha256:{'0' * 64}"),
        (_with(GPU, image={"digest": "sha256:" + "0" * 64}), "localhost/faceswap-predictor:dev-gpu"),
    ],
)
def test_an_image_is_named_by_its_digest_or_its_tag(values: dict[str, Any], image: str) -> None:
    server = container(values)

    assert (server["image"], server["imagePullPolicy"]) == (image, "IfNotPresent")


def test_all_three_probes_ask_the_model_and_the_process() -> None:
    server = container({"model": {"modelName": "swap"}, "rest": {"port": 9000}})

    asked = {kind: server[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert asked == {
        "startup": {"path": "/v2/models/swap/ready", "port": 9000},
        "readiness": {"path": "/v2/models/swap/ready", "port": 9000},
        "liveness": {"path": "/v2/health/live", "port": 9000},
    }
    assert server["startupProbe"]["failureThreshold"] * server["startupProbe"]["periodSeconds"] == 300


def test_a_gpu_may_take_longer_to_load() -> None:
    startup = container(GPU)["startupProbe"]

    assert startup["failureThreshold"] * startup["periodSeconds"] == 600


def test_rest_is_the_first_port_and_grpc_says_so_in_its_name() -> None:
    server = container()

    assert [(port["name"], port["containerPort"]) for port in server["ports"]] == [("http", 8080), ("grpc", 8081)]


@pytest.mark.parametrize(("rest", "port"), [(True, ("http1", 8080)), (False, ("h2c", 8081))])
def test_knative_gets_one_port(rest: bool, port: tuple[str, int]) -> None:  # noqa: FBT001
    values = {"deploymentMode": "Knative", "rest": {"enabled": rest}, "grpc": {"enabled": not rest}}

    server = container(values)

    assert [(p["name"], p["containerPort"]) for p in server["ports"]] == [port]
    assert ("httpGet" in server["readinessProbe"], "exec" in server["readinessProbe"]) == (rest, not rest)


def test_services_of_the_namespace_and_the_token_stay_out_of_the_pod() -> None:
    made = predictor()

    assert (made["enableServiceLinks"], made["automountServiceAccountToken"]) == (False, False)


def test_all_four_numbers_of_the_resources_are_written_and_small_enough_for_a_small_node() -> None:
    resources = container()["resources"]

    assert {kind: set(numbers) for kind, numbers in resources.items()} == {
        "requests": {"cpu", "memory"},
        "limits": {"cpu", "memory"},
    }
    assert resources["requests"]["cpu"] == "500m"


@pytest.mark.parametrize(
    ("resource", "model"),
    [
        ("nvidia.com/gpu", {}),
        ("nvidia.com/mig-1g.10gb", {}),
        ("nvidia.com/gpu.shared", {}),
        ("amd.com/gpu", {"provider": "auto"}),
    ],
)
def test_a_device_stands_among_requests_and_limits(resource: str, model: dict[str, str]) -> None:
    values = {"cpu": {"enabled": False}, "gpu": {"enabled": True, "resource": resource, "model": model}}

    resources = container(values)["resources"]

    assert (resources["requests"][resource], resources["limits"][resource]) == ("1", "1")


def test_beside_the_device_requests_and_limits_are_what_the_values_say() -> None:
    requests, limits = {"cpu": "1", "memory": "4Gi"}, {"cpu": "4", "memory": "8Gi"}

    resources = container(_with(GPU, gpu={"enabled": True, "resources": {"requests": requests, "limits": limits}}))[
        "resources"
    ]

    device = {"nvidia.com/gpu": "1"}
    assert resources == {"requests": requests | device, "limits": limits | device}


def test_on_a_gpu_the_predictor_would_rather_not_start_than_run_on_the_cpu() -> None:
    variables = environment(container(GPU))

    assert (variables["PREDICTOR_PROVIDER"], variables["PREDICTOR_STRICT_PROVIDER"]) == ("cuda", "true")


def test_why_it_could_not_start_stands_in_the_termination_message() -> None:
    assert container()["terminationMessagePolicy"] == "FallbackToLogsOnError"


# ── security ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _is_restricted(server: dict[str, Any]) -> bool:
    context = server["securityContext"]
    return bool(
        context["allowPrivilegeEscalation"] is False
        and context["runAsNonRoot"] is True
        and context["readOnlyRootFilesystem"] is True
        and context["capabilities"] == {"drop": ["ALL"]}
        and context["seccompProfile"] == {"type": "RuntimeDefault"}
    )


def test_every_container_passes_the_restricted_standard() -> None:
    values = {"weights": {"claim": {"create": True}, "pull": {"enabled": True}}, "model": {"recipe": "onnx"}}

    objects = manifests(values)

    (service,) = of_kind("InferenceService", objects)
    (job,) = of_kind("Job", objects)
    (test,) = of_kind("Pod", objects)
    pods = [service["spec"]["predictor"], job["spec"]["template"]["spec"], test["spec"]]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert all(_is_restricted(server) for server in pod["containers"])
        assert {"name": "tmp", "mountPath": "/tmp"} in pod["containers"][0]["volumeMounts"]  # noqa: S108


def test_openshift_chooses_user_and_groups_itself() -> None:
    values = {"openshift": {"enabled": True}, "containerSecurityContext": {"runAsUser": 1000}}

    text = json.dumps(manifests(values))

    assert "runAsUser" not in text
    assert "runAsGroup" not in text
    assert "fsGroup" not in text
    assert '"runAsNonRoot": true' in text


def test_secrets_are_named_and_never_held() -> None:
    values = {
        "imagePullSecrets": [{"name": "registry"}],
        "extraEnvFrom": [{"secretRef": {"name": "proxy"}}],
        "serviceAccount": {"create": True, "storageSecrets": ["bucket"]},
    }

    objects = manifests(values)

    (account,) = of_kind("ServiceAccount", objects)
    (service,) = of_kind("InferenceService", objects)
    made = service["spec"]["predictor"]
    assert of_kind("Secret", objects) == []
    assert account["secrets"] == [{"name": "bucket"}]
    assert made["serviceAccountName"] == account["metadata"]["name"] == "faceswap"
    assert made["imagePullSecrets"] == [{"name": "registry"}]
    assert made["containers"][0]["envFrom"] == [{"secretRef": {"name": "proxy"}}]


# ── coming and going ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_pod_has_the_time_that_the_server_takes_to_drain() -> None:
    made, defaults = predictor(), Settings()

    server = made["containers"][0]
    pre_stop = server["lifecycle"]["preStop"]["sleep"]["seconds"]
    variables = environment(server)
    assert float(variables["PREDICTOR_GRACE_SECONDS"]) == defaults.grace_seconds
    assert float(variables["PREDICTOR_DRAIN_DELAY_SECONDS"]) == defaults.drain_delay_seconds
    assert made["terminationGracePeriodSeconds"] == pre_stop + defaults.grace_seconds + 5


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ({"preStopSeconds": 10}, 75),
        ({"preStopSeconds": 0}, 65),
        ({"model": {"graceSeconds": 90.5}}, 101),
        ({"preStopSeconds": 15, "model": {"graceSeconds": 120}}, 140),
    ],
)
def test_the_grace_follows_its_parts(values: dict[str, Any], seconds: int) -> None:
    made = predictor(values)

    assert made["terminationGracePeriodSeconds"] == seconds
    assert ("lifecycle" in made["containers"][0]) == (values.get("preStopSeconds") != 0)


def test_the_routes_timeout_is_the_requests() -> None:
    assert predictor()["timeout"] == 300
    assert predictor({"model": {"requestTimeoutSeconds": 42.5}})["timeout"] == 43


@pytest.mark.parametrize(
    ("values", "strategy"),
    [
        ({}, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
        (GPU, {"type": "Recreate"}),
        (
            {**GPU, "replicas": {"min": 2, "max": 2}},
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        ),
        (
            {**GPU, "strategy": {"maxUnavailable": 1}},
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        ),
        ({"strategy": {"type": "Recreate"}}, {"type": "Recreate"}),
        (
            {"strategy": {"maxSurge": "50%"}},
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}},
        ),
    ],
)
def test_a_new_pod_never_waits_for_the_device_of_the_old_one(values: dict[str, Any], strategy: dict[str, Any]) -> None:
    assert predictor(values)["deploymentStrategy"] == strategy


def test_knative_gets_nothing_that_it_refuses() -> None:
    made = predictor(KNATIVE)

    assert not {"deploymentStrategy", "terminationGracePeriodSeconds", "securityContext"} & set(made)
    assert "lifecycle" not in made["containers"][0]
    assert "privileged" not in made["containers"][0]["securityContext"]


# ── scaling ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_replicas_are_what_was_said_where_nothing_scales() -> None:
    made = predictor({"replicas": {"min": 3}})

    assert (made["minReplicas"], made["maxReplicas"]) == (3, 3)


def test_kserves_hpa_gets_the_two_fields_that_it_reads() -> None:
    values = {"autoscaling": {"class": "hpa", "metric": "memory", "target": 60}, "replicas": {"max": 4}}

    made = predictor(values)

    assert _annotations(values)["serving.kserve.io/autoscalerClass"] == "hpa"
    assert (made["scaleMetric"], made["scaleTarget"], made["maxReplicas"]) == ("memory", 60, 4)
    assert "autoScaling" not in made


def test_the_charts_own_hpa_scales_the_deployment_that_kserve_makes() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 30}}
    values = {
        "autoscaling": {"class": "external", "target": 60, "behavior": behavior},
        "replicas": {"min": 2, "max": 4},
    }

    objects = manifests(values)

    (autoscaler,) = of_kind("HorizontalPodAutoscaler", objects)
    spec = autoscaler["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "faceswap-cpu-predictor"}
    assert (spec["minReplicas"], spec["maxReplicas"], spec["behavior"]) == (2, 4, behavior)
    assert spec["metrics"][0]["resource"] == {
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 60},
    }
    assert _annotations(values)["serving.kserve.io/autoscalerClass"] == "external"


def test_keda_asks_for_the_calls_in_flight_of_this_service_only() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 30}}
    keda = {"serverAddress": "http://prometheus:9090", "target": 3}
    values = {"autoscaling": {"class": "keda", "keda": keda, "behavior": behavior}, "replicas": {"min": 0, "max": 4}}

    made = predictor(values)

    (metric,) = made["autoScaling"]["metrics"]
    assert metric["external"]["metric"] == {
        "backend": "prometheus",
        "serverAddress": "http://prometheus:9090",
        "query": 'sum(predictor_requests_in_flight{namespace="default",pod=~"faceswap-cpu-predictor-.+"})',
    }
    assert metric["external"]["target"] == {"type": "Value", "value": "3"}
    assert made["autoScaling"]["behavior"] == behavior
    assert made["minReplicas"] == 0


def test_knative_scales_by_calls() -> None:
    made = predictor({**KNATIVE, "containerConcurrency": 4, "replicas": {"min": 0, "max": 3}})

    assert (made["minReplicas"], made["maxReplicas"], made["containerConcurrency"]) == (0, 3, 4)
    assert (made["scaleMetric"], made["scaleTarget"]) == ("concurrency", 1)


# ── weights and destinations ──────────────────────────────────────────────────────────────────────────────────────────


def test_one_uri_is_given_in_the_form_that_honours_a_sub_path() -> None:
    made = predictor({"storageUris": [{"uri": "pvc://weights/new"}], "model": {"recipe": "onnx"}})

    variables = environment(made["containers"][0])
    assert variables["STORAGE_URI"] == "pvc://weights/new"
    assert variables["PREDICTOR_WEIGHTS_DIR"] == "/mnt/models"
    assert "storageUris" not in made


def test_several_uris_each_have_their_place() -> None:
    values = {
        "storageUris": [{"uri": "pvc://weights", "mountPath": "/mnt/weights"}],
        "destinations": {"storageUri": "s3://portraits"},
    }

    made = predictor(values)

    variables = environment(made["containers"][0])
    assert made["storageUris"] == [
        {"uri": "pvc://weights", "mountPath": "/mnt/weights"},
        {"uri": "s3://portraits", "mountPath": "/mnt/destinations"},
    ]
    assert (variables["PREDICTOR_WEIGHTS_DIR"], variables["PREDICTOR_DESTINATIONS_DIR"]) == (
        "/mnt/weights",
        "/mnt/destinations",
    )
    assert "STORAGE_URI" not in variables


def test_destinations_alone_are_no_weights() -> None:
    variables = environment(container({"destinations": {"storageUri": "s3://portraits"}}))

    assert variables["PREDICTOR_DESTINATIONS_DIR"] == "/mnt/destinations"
    assert "PREDICTOR_WEIGHTS_DIR" not in variables


@pytest.mark.parametrize(
    ("destinations", "source"),
    [
        ({"configMap": "portraits"}, {"configMap": {"name": "portraits"}}),
        (
            {"pvc": {"claimName": "portraits", "subPath": "new"}},
            {"persistentVolumeClaim": {"claimName": "portraits", "readOnly": True}},
        ),
    ],
)
def test_destinations_are_mounted_where_the_predictor_looks(
    destinations: dict[str, Any], source: dict[str, Any]
) -> None:
    made = predictor({"destinations": destinations})

    (mount,) = (m for m in made["containers"][0]["volumeMounts"] if m["name"] == "destinations")
    (volume,) = (v for v in made["volumes"] if v["name"] == "destinations")
    assert {k: v for k, v in volume.items() if k != "name"} == source
    assert mount["mountPath"] == environment(made["containers"][0])["PREDICTOR_DESTINATIONS_DIR"]
    assert mount.get("subPath") == destinations.get("pvc", {}).get("subPath")


PULL: dict[str, Any] = {
    "model": {"recipe": "onnx", "acceptedLicences": ["gfpgan"], "queueLength": 3},
    "weights": {"claim": {"create": True}, "pull": {"enabled": True}},
}


def test_a_job_pulls_onto_the_claim_that_the_service_reads() -> None:
    objects = manifests(PULL)

    (job,) = of_kind("Job", objects)
    (claim,) = of_kind("PersistentVolumeClaim", objects)
    (server,) = job["spec"]["template"]["spec"]["containers"]
    variables = environment(server)
    assert server["command"] == ["python", "-m", "predictor", "weights", "pull", "--to", "/mnt/models"]
    assert (variables["PREDICTOR_RECIPE"], variables["PREDICTOR_ACCEPTED_LICENCES"]) == ("onnx", "gfpgan")
    assert "PREDICTOR_QUEUE_LENGTH" not in variables
    assert "PREDICTOR_WEIGHTS_DIR" not in variables
    volumes = {v["name"]: v for v in job["spec"]["template"]["spec"]["volumes"]}
    assert volumes["weights"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"] == "faceswap-weights"
    assert environment(container(PULL))["STORAGE_URI"] == "pvc://faceswap-weights"


def test_another_pull_is_another_job() -> None:
    def name(values: dict[str, Any]) -> str:
        (job,) = of_kind("Job", manifests(values))
        return str(job["metadata"]["name"])

    more = {**PULL, "weights": {"claim": {"create": True}, "pull": {"enabled": True, "files": ["inswapper_128.onnx"]}}}
    other = {**PULL, "replicas": {"min": 2}}

    assert name(PULL) == name(other) != name(more)


def test_the_pull_is_for_the_service_that_needs_weights() -> None:
    values = {
        "gpu": {"enabled": True, "model": {"recipe": "onnx"}},
        "weights": {"claim": {"create": True}, "pull": {"enabled": True}},
    }

    (job,) = of_kind("Job", manifests(values))

    (server,) = job["spec"]["template"]["spec"]["containers"]
    assert environment(server)["PREDICTOR_RECIPE"] == "onnx"


def test_a_service_may_leave_the_claim_alone() -> None:
    variables = environment(container({"weights": {"claim": {"name": "weights"}}, "mountWeights": False}))

    assert "STORAGE_URI" not in variables


# ── runtime mode ──────────────────────────────────────────────────────────────────────────────────────────────────────

RUNTIME: dict[str, Any] = {"mode": "runtime", **WEIGHTS, "model": {"recipe": "onnx"}}


def test_in_runtime_mode_the_container_stands_in_the_runtime() -> None:
    objects = manifests(RUNTIME)

    (runtime,) = of_kind("ServingRuntime", objects)
    (service,) = of_kind("InferenceService", objects)
    model, (server,) = service["spec"]["predictor"]["model"], runtime["spec"]["containers"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"]["name"] == runtime["spec"]["supportedModelFormats"][0]["name"] == "face-swap"
    assert model["storageUri"] == "s3://weights"
    assert model["resources"] == server["resources"]
    assert "containers" not in service["spec"]["predictor"]
    assert server["readinessProbe"]["httpGet"]["path"] == "/v2/models/faceswap/ready"
    assert "STORAGE_URI" not in environment(server)
    assert environment(server)["PREDICTOR_WEIGHTS_DIR"] == "/mnt/models"


def test_a_runtime_of_the_cluster_is_never_chosen_by_itself() -> None:
    objects = manifests({**RUNTIME, "runtime": {"cluster": True}}, namespace="media")

    (runtime,) = of_kind("ClusterServingRuntime", objects)
    assert "namespace" not in runtime["metadata"]
    assert runtime["metadata"]["name"] == "media-faceswap-cpu"
    assert runtime["spec"]["supportedModelFormats"][0]["autoSelect"] is False
    assert problems(runtime) == []


def test_a_runtime_that_is_there_gets_our_settings_from_the_service() -> None:
    objects = manifests({**RUNTIME, "runtime": {"create": False, "name": "theirs"}})

    (service,) = of_kind("InferenceService", objects)
    model = service["spec"]["predictor"]["model"]
    assert of_kind("ServingRuntime", objects) == []
    assert model["runtime"] == "theirs"
    assert environment(model)["PREDICTOR_RECIPE"] == "onnx"


# ── canary ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["container", "runtime"])
def test_a_canary_differs_in_what_was_said_only(mode: str) -> None:
    canary = {"enabled": True, "trafficPercent": 20, "image": {"tag": "next"}, "model": {"restorer": "sharpen"}}

    (service,) = of_kind("InferenceService", manifests({**RUNTIME, "mode": mode, "canary": canary}))

    (made,) = service["spec"]["canary"]
    stable, changed = service["spec"]["predictor"], made["predictor"]
    server = changed["model"] if mode == "runtime" else changed["containers"][0]
    assert (made["trafficPercent"], changed["name"], changed["minReplicas"]) == (20, "canary", 1)
    assert server["image"] == "localhost/faceswap-predictor:next"
    assert environment(server)["PREDICTOR_RESTORER"] == "sharpen"
    # KServe refuses these in a canary
    assert not {"maxReplicas", "scaleTarget", "scaleMetric", "autoScaling"} & set(changed)
    same = set(stable) - {"containers", "model", "minReplicas", "maxReplicas"}
    assert {key: stable[key] for key in same} == {key: changed[key] for key in same}


def test_in_knative_the_newest_revision_gets_its_share() -> None:
    (service,) = of_kind("InferenceService", manifests({**KNATIVE, "canary": {"enabled": True, "trafficPercent": 5}}))

    assert service["spec"]["predictor"]["canaryTrafficPercent"] == 5
    assert "canary" not in service["spec"]


# ── what watches and guards it ────────────────────────────────────────────────────────────────────────────────────────


def test_prometheus_reads_each_pod_once() -> None:
    annotated = predictor({"rest": {"port": 9000}})["annotations"]
    monitored = predictor({"podMonitor": {"enabled": True}}).get("annotations", {})

    assert annotated == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9000",
        "prometheus.io/path": "/metrics",
    }
    assert monitored == {}


def test_what_selects_pods_selects_those_of_one_service() -> None:
    values = {
        "gpu": {"enabled": True},
        "pdb": {"enabled": True},
        "networkPolicy": {"enabled": True},
        "podMonitor": {"enabled": True},
    }

    objects = manifests(values)

    for kind, key in (
        ("PodDisruptionBudget", "selector"),
        ("NetworkPolicy", "podSelector"),
        ("PodMonitor", "selector"),
    ):
        selected = [o["spec"][key]["matchLabels"] for o in of_kind(kind, objects)]
        assert selected == [
            {"serving.kserve.io/inferenceservice": "faceswap-cpu"},
            {"serving.kserve.io/inferenceservice": "faceswap-gpu"},
        ]


def test_the_network_policy_lets_in_the_two_ports_and_nothing_out() -> None:
    (policy,) = of_kind("NetworkPolicy", manifests({"networkPolicy": {"enabled": True}}))

    (rule,) = policy["spec"]["ingress"]
    assert [port["port"] for port in rule["ports"]] == [8080, 8081]
    assert rule["from"] == [{"podSelector": {}}]
    assert (policy["spec"]["egress"], policy["spec"]["policyTypes"]) == ([], ["Ingress", "Egress"])


def test_a_budget_keeps_so_many_or_lets_so_many_go() -> None:
    kept = {"pdb": {"enabled": True, "minAvailable": 1}, "replicas": {"min": 2}}

    (leaving,) = of_kind("PodDisruptionBudget", manifests({"pdb": {"enabled": True}}))
    (staying,) = of_kind("PodDisruptionBudget", manifests(kept))

    assert (leaving["spec"]["maxUnavailable"], "minAvailable" in leaving["spec"]) == (1, False)
    assert (staying["spec"]["minAvailable"], "maxUnavailable" in staying["spec"]) == (1, False)


def test_extra_objects_may_be_maps_or_text_and_hold_templates() -> None:
    values = {
        "extraObjects": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-one"}},
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: '{{ .Release.Name }}-two'\n",
        ]
    }

    names = [made["metadata"]["name"] for made in of_kind("ConfigMap", manifests(values))]

    assert names == ["faceswap-one", "faceswap-two"]


# ── helm test ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_helm_test_asks_every_service() -> None:
    (pod,) = of_kind("Pod", manifests({"gpu": {"enabled": True}, "model": {"modelName": "swap"}}, namespace="media"))

    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["containers"][0]["command"][-2:] == [
        "http://faceswap-cpu-predictor.media.svc/v1/models/swap",
        "http://faceswap-gpu-predictor.media.svc/v1/models/swap",
    ]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"tests": {"enabled": False}}, id="switched off"),
        pytest.param(
            {"deploymentMode": "Knative", "rest": {"enabled": False}}, id="gRPC only, which the pod does not speak"
        ),
    ],
)
def test_there_may_be_no_test(values: dict[str, Any]) -> None:
    assert of_kind("Pod", manifests(values)) == []


def test_the_notes_say_so_where_the_recipe_needs_more_memory_than_by_default() -> None:
    onnx = {"model": {"recipe": "onnx"}, "weights": {"claim": {"name": "weights"}}}
    hint = "raise resources.limits.memory from 4Gi to 8Gi"

    assert hint in render_texts(onnx)["NOTES.txt"]
    assert hint not in render_texts({**onnx, "resources": {"limits": {"memory": "8Gi"}}})["NOTES.txt"]
    assert hint not in render_texts()["NOTES.txt"]
