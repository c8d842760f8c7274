"""The chart as a release: installed as the README says, tested, upgraded, rolled back, and gone without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import CHART, Namespace, name_of, run, until
from tests.cluster.readme import Reader, blocks, settings_of_upgrade

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

# What a namespace has by itself, what remembers (events), and the leases of who watches.
_NOT_OURS = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
_FORGOTTEN = ("event", "podmetrics", "lease")


@pytest.fixture(scope="module")
def namespace(new_namespace: Callable[..., Namespace]) -> Iterator[Namespace]:
    """A namespace whose release goes from test to test."""
    made = new_namespace()
    yield made
    made.delete()


@pytest.fixture
def reader(namespace: Namespace, tmp_path: Path, grace_hopper_jpeg: bytes, six_faces_jpeg: bytes) -> Reader:
    """Somebody who types what the README says."""
    made = Reader(tmp_path, namespace)
    made.sit_down({"grace_hopper.jpg": grace_hopper_jpeg, "six_faces.jpg": six_faces_jpeg})
    return made


def _pod_names(namespace: Namespace) -> set[str]:
    return {name_of(pod) for pod in namespace.pods()}


def _left(namespace: Namespace) -> set[str]:
    """Return everything that is in a namespace and was not there when it was made."""
    kinds = run("kubectl", "api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    listed = [kind for kind in kinds if not kind.startswith(_FORGOTTEN) and "metrics.k8s.io" not in kind]
    found = namespace.kubectl("get", ",".join(listed), "-o", "name", "--ignore-not-found").split()
    return {name for name in found if not name.startswith(_FORGOTTEN)} - _NOT_OURS


def test_the_readme_leads_from_nothing_to_a_swapped_picture(reader: Reader, steps: Steps) -> None:
    install, swap = blocks("From nothing to a swapped picture")

    said = ""
    for line in install.splitlines():
        with steps.timed(line):
            said = reader.types(line)
    with steps.timed("swap of pictures from here"):
        reader.types(swap)

    assert "is ready and swapped a face in" in said
    (made,) = (reader.folder / "out/cluster").iterdir()
    with Image.open(made) as picture, Image.open(reader.folder / "out/demo/destinations/six_faces.jpg") as destination:
        assert picture.size == destination.size
        assert picture.tobytes() != destination.tobytes()


def test_nothing_that_kserve_fills_in_is_left_to_it(namespace: Namespace) -> None:
    """Resources, probes, ports, timeouts and modes are ours, as the pod that runs has them."""
    (pod,) = namespace.pods()
    (container,) = pod["spec"]["containers"]
    service = namespace.get("service", "faceswap-cpu-predictor")

    assert container["resources"] == yaml.safe_load((CHART / "values.yaml").read_text())["resources"]
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/models/faceswap/ready"
    assert pod["spec"]["enableServiceLinks"] is False
    assert pod["spec"]["terminationGracePeriodSeconds"] == 70
    ports = {(port["port"], port["targetPort"], port.get("appProtocol")) for port in service["spec"]["ports"]}
    assert ports == {(80, 8080, None), (8081, 8081, "kubernetes.io/h2c")}
    assert not namespace.find("hpa")


@pytest.mark.parametrize("heading", ["With weights", "On a GPU", "Scale", "Canary"])
def test_the_server_takes_what_the_readme_sets_later(heading: str, namespace: Namespace) -> None:
    """Dry: the first would pull files from the network."""
    settings = settings_of_upgrade("With weights")
    settings += [] if heading == "With weights" else settings_of_upgrade(heading)

    text = namespace.helm("template", "faceswap", str(CHART), "--no-hooks", *settings)

    objects = [each for each in yaml.safe_load_all(text) if each]
    assert namespace.dry_run(objects) == len(objects) >= 3  # a service, a claim, a Job


def test_an_upgrade_rolls_the_pods_and_a_rollback_brings_them_back(namespace: Namespace, steps: Steps) -> None:
    installed = _pod_names(namespace)

    with steps.timed("helm upgrade to the new pod"):
        namespace.helm("upgrade", "faceswap", str(CHART), "--set-string", "podAnnotations.restarted=1")
        until(lambda: _pod_names(namespace) - installed, "the new pod")
        namespace.roll_out()
    upgraded = until(lambda: _pod_names(namespace) - installed, "the new pod alone")
    with steps.timed("helm rollback to the pod of before"):
        namespace.helm("rollback", "faceswap", "1")
        until(lambda: _pod_names(namespace) - upgraded - installed, "the pod of before")
        namespace.roll_out()

    (pod,) = [pod for pod in namespace.pods() if name_of(pod) not in upgraded]
    assert len(installed) == len(upgraded) == 1
    assert "restarted" not in pod["metadata"]["annotations"]


def test_an_uninstall_leaves_nothing(namespace: Namespace, steps: Steps) -> None:
    assert _left(namespace)

    with steps.timed("helm uninstall to nothing"):
        namespace.helm("uninstall", "faceswap")
        until(lambda: not _left(namespace), "the last object", 120)

    assert namespace.helm("list", "--short") == ""
