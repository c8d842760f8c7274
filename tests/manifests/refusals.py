"""What the chart refuses, each with the values that ask for it and the sentence that is read."""

from __future__ import annotations

from typing import Any, NamedTuple

_CLAIMS = [{"uri": "pvc://weights", "mountPath": "/mnt/models"}, {"uri": "pvc://weights", "mountPath": "/mnt/more"}]
_SUB_PATHS = [{"uri": "pvc://weights/new", "mountPath": "/mnt/models"}, {"uri": "s3://more", "mountPath": "/mnt/more"}]
_GPU = {"cpu": {"enabled": False}}
_RAY_WEIGHTS = (
    "storageUris and destinations.storageUri are fetched by KServe, and no RayService has it: give weights.claim and "
    "destinations.pvc, and move these under cpu or gpu"
)
_KNATIVE = {"deploymentMode": "Knative", "grpc": {"enabled": False}}


class Refusal(NamedTuple):
    """One combination that the chart refuses."""

    name: str
    values: dict[str, Any]
    sentence: str


REFUSALS = [
    Refusal(
        "no service",
        {"cpu": {"enabled": False}},
        "cpu.enabled, gpu.enabled and ray.enabled are all false: there would be no predictor; enable one",
    ),
    Refusal(
        "name of a service",
        {"fullnameOverride": "2nd"},
        '"2nd-cpu" cannot be the name of an InferenceService: small letters, digits and dashes, a letter first; '
        "choose another release name or fullnameOverride",
    ),
    Refusal(
        "long name",
        {"fullnameOverride": "a" * 42},
        f'"{"a" * 42}-cpu" and the namespace "default" have 53 characters together; KServe\'s host name '
        "NAME-predictor-NAMESPACE leaves them 52: choose a shorter release name or fullnameOverride",
    ),
    Refusal(
        "long name of a canary",
        {"fullnameOverride": "a" * 35, "canary": {"enabled": True}, "storageUris": [{"uri": "s3://weights"}]},
        f'"{"a" * 35}-cpu-canary" and the namespace "default" have 53 characters together; KServe\'s host name '
        "NAME-predictor-NAMESPACE leaves them 52: choose a shorter release name or fullnameOverride",
    ),
    Refusal(
        "pull without a claim",
        {"weights": {"pull": {"enabled": True, "files": ["gfpgan_1.4.onnx"]}}},
        "weights.pull needs a claim to pull onto: set weights.claim.create or weights.claim.name",
    ),
    Refusal(
        "pull of nothing",
        {"weights": {"claim": {"create": True}, "pull": {"enabled": True}}},
        "weights.pull has nothing to pull: the recipe embedded needs no weights; choose another model.recipe, "
        "or name the files in weights.pull.files",
    ),
    Refusal(
        "variable of the pull",
        {
            "model": {"recipe": "onnx"},
            "weights": {
                "claim": {"create": True},
                "pull": {"enabled": True, "extraEnv": [{"name": "PREDICTOR_RECIPE", "value": "embedded"}]},
            },
        },
        "weights.pull.extraEnv: PREDICTOR_RECIPE is written by the chart; use the value it has for that in model",
    ),
    Refusal(
        "runtime without a name",
        {"mode": "runtime", "runtime": {"create": False}, "storageUris": [{"uri": "s3://weights"}]},
        "runtime.create is false: name the runtime that is there in runtime.name",
    ),
    Refusal(
        "runtime mode without storage",
        {"mode": "runtime"},
        "mode runtime needs storageUris or weights.claim: KServe takes a model without storage for a multi-model "
        "server and puts an agent beside it; for weights in the image, or none, use mode container",
    ),
    Refusal(
        "recipe without weights",
        {"model": {"recipe": "onnx"}},
        "model.recipe onnx needs weights: give storageUris or weights.claim or, where the image holds them, "
        "model.weightsDir",
    ),
    Refusal(
        "destinations are no weights",
        {"model": {"recipe": "onnx"}, "destinations": {"storageUri": "s3://portraits"}},
        "model.recipe onnx needs weights: give storageUris or weights.claim or, where the image holds them, "
        "model.weightsDir",
    ),
    Refusal(
        "two entries for one place",
        {"storageUris": [{"uri": "pvc://one"}, {"uri": "pvc://two"}]},
        "storageUris: two entries for /mnt/models, of which KServe would drop one without a word; "
        "give each its mountPath",
    ),
    Refusal(
        "claim twice",
        {"storageUris": _CLAIMS},
        "storageUris: the claim weights stands there twice, and the pod would hang in ContainerCreating; "
        "use one entry and folders in it",
    ),
    Refusal(
        "sub path of a claim",
        {"storageUris": _SUB_PATHS},
        "storageUris: beside another entry, or with a mountPath, KServe ignores the sub path of pvc://weights/new "
        "and mounts the whole claim; name the claim alone",
    ),
    Refusal(
        "storage container for several",
        {
            "storageContainerName": "restricted",
            "storageUris": [{"uri": "s3://weights"}],
            "destinations": {"storageUri": "s3://portraits"},
        },
        "storageContainerName serves one URI at KServe's own place only; give one storageUris entry without mountPath",
    ),
    Refusal(
        "destinations from two places",
        {"destinations": {"configMap": "portraits", "pvc": {"claimName": "portraits"}}},
        "destinations come from one place: configMap, pvc or storageUri",
    ),
    Refusal(
        "PYTHONPATH",
        {"extraEnv": [{"name": "PYTHONPATH", "value": "/more"}]},
        "extraEnv: KServe refuses PYTHONPATH in any container; install what is needed in the image",
    ),
    Refusal(
        "a variable of the chart",
        {"extraEnv": [{"name": "PREDICTOR_HTTP_PORT", "value": "9000"}]},
        "extraEnv: PREDICTOR_HTTP_PORT is written by the chart; use the value it has for that "
        "(model, rest, grpc, storageUris, destinations)",
    ),
    Refusal(
        "STORAGE_URI",
        {"extraEnv": [{"name": "STORAGE_URI", "value": "s3://weights"}]},
        "extraEnv: STORAGE_URI is written by the chart; use the value it has for that "
        "(model, rest, grpc, storageUris, destinations)",
    ),
    Refusal(
        "grace within the drain delay",
        {"model": {"graceSeconds": 5}},
        "model.graceSeconds must be larger than model.drainDelaySeconds, which it includes",
    ),
    Refusal(
        "a number missing",
        {"resources": {"limits": {"memory": None}}},
        "resources.limits.memory is missing: KServe would fill it with 1 CPU or 2Gi, and fail where a request is "
        "larger; write all four",
    ),
    Refusal(
        "two MIG slices",
        {**_GPU, "gpu": {"enabled": True, "resource": "nvidia.com/mig-1g.10gb", "count": 2}},
        "gpu.count 2 of nvidia.com/mig-1g.10gb: a process runs on one MIG slice; take a larger slice, "
        "or raise gpu.replicas",
    ),
    Refusal(
        "CUDA on AMD",
        {**_GPU, "gpu": {"enabled": True, "resource": "amd.com/gpu"}},
        "gpu.resource amd.com/gpu: the provider cuda runs on NVIDIA only; give gpu.image one built for ROCm, "
        "and gpu.model.provider auto",
    ),
    Refusal(
        "Recreate that rolls",
        {"strategy": {"type": "Recreate", "maxSurge": 1}},
        "strategy: Recreate has no maxSurge and no maxUnavailable; leave them out",
    ),
    Refusal(
        "strategy that replaces nothing",
        {"strategy": {"maxSurge": 0}},
        "strategy: with maxSurge 0 and maxUnavailable 0 no pod could ever be replaced; raise one of them",
    ),
    Refusal(
        "metrics with KServe's HPA",
        {"autoscaling": {"class": "hpa", "metrics": [{"type": "External"}]}, "replicas": {"max": 2}},
        "autoscaling.metrics: the class hpa takes none (KServe's HPA would scale on the CPU at 80% and say nothing); "
        "use the class external",
    ),
    Refusal(
        "behavior with KServe's HPA",
        {"autoscaling": {"class": "hpa", "behavior": {"scaleDown": {}}}, "replicas": {"max": 2}},
        "autoscaling.behavior has no effect with the class hpa; use external or keda",
    ),
    Refusal(
        "max below min",
        {"autoscaling": {"class": "hpa"}, "replicas": {"min": 3, "max": 2}},
        "replicas.max is less than replicas.min",
    ),
    Refusal(
        "canary of a container without STORAGE_URI",
        {"canary": {"enabled": True}},
        "canary: KServe takes one in mode container only with STORAGE_URI; give weights as one storageUris entry "
        "without mountPath, or use mode runtime",
    ),
    Refusal(
        "canary with KServe's HPA",
        {
            "canary": {"enabled": True},
            "storageUris": [{"uri": "s3://weights"}],
            "autoscaling": {"class": "hpa"},
            "replicas": {"max": 2},
        },
        "canary: with the class hpa KServe leaves the canary's HPA behind for ever, with keda it makes it an empty "
        "ScaledObject and fails; use none or external, which scale the stable predictor only",
    ),
    Refusal(
        "canary larger than the stable",
        {"canary": {"enabled": True, "replicas": 2}, "storageUris": [{"uri": "s3://weights"}]},
        "canary.replicas is more than replicas.min, which KServe refuses",
    ),
    Refusal(
        "canary with a model in Knative",
        {**_KNATIVE, "canary": {"enabled": True, "image": {"tag": "next"}}},
        "canary.image and canary.model are for Standard; in Knative the canary is the newest revision: "
        "change image and model themselves",
    ),
    Refusal(
        "weights from behind a closed network",
        {"networkPolicy": {"enabled": True}, "storageUris": [{"uri": "s3://weights"}]},
        "networkPolicy lets nothing out, and the weights or destinations come from the network: "
        "write networkPolicy.egress for the storage and DNS",
    ),
    Refusal(
        "no REST in Standard",
        {"rest": {"enabled": False}},
        "rest.enabled false is for Knative; in Standard the Service's port 80 is REST, and gRPC stands beside it",
    ),
    Refusal(
        "containerConcurrency in Standard",
        {"containerConcurrency": 4},
        "containerConcurrency does nothing in Standard; use model.workers and model.queueLength",
    ),
    Refusal(
        "Knative's metric in Standard",
        {"autoscaling": {"class": "hpa", "metric": "rps"}, "replicas": {"max": 2}},
        "autoscaling.metric rps is Knative's: the class hpa would scale on the CPU and say nothing; "
        "use cpu or memory, or the class keda",
    ),
    Refusal(
        "target of KServe's own HPA over 100 percent",
        {"autoscaling": {"class": "hpa", "target": 101}, "replicas": {"max": 2}},
        "autoscaling.target 101: KServe's own HPA takes 1 to 100 percent of the request; the class external takes more",
    ),
    Refusal(
        "target that nobody reads",
        {"autoscaling": {"target": 50}},
        "autoscaling.metric and autoscaling.target have no effect with the class none; use hpa or external, "
        "or autoscaling.keda",
    ),
    Refusal(
        "max that is never reached",
        {"replicas": {"max": 3}},
        "replicas.max is more than replicas.min, but autoscaling.class none never scales; choose hpa, external or keda",
    ),
    Refusal(
        "no pods with an HPA",
        {"autoscaling": {"class": "hpa"}, "replicas": {"min": 0}},
        "replicas.min 0 is not possible with the class hpa in Standard (KServe makes it 1, or says Ready with no "
        "pod); use keda or Knative",
    ),
    Refusal(
        "KEDA without Prometheus",
        {"autoscaling": {"class": "keda"}, "replicas": {"max": 2}},
        "autoscaling.class keda asks Prometheus: set autoscaling.keda.serverAddress",
    ),
    Refusal(
        "HPA of a GPU",
        {**_GPU, "gpu": {"enabled": True, "autoscaling": {"class": "hpa"}, "replicas": {"max": 2}}},
        "gpu.autoscaling.class hpa would scale on the CPU, which says nothing of a GPU; use keda, "
        "or external with metrics of your own",
    ),
    Refusal(
        "chart's HPA of a GPU",
        {**_GPU, "gpu": {"enabled": True, "autoscaling": {"class": "external"}, "replicas": {"max": 2}}},
        "gpu.autoscaling.class external would scale on the CPU, which says nothing of a GPU; use keda, "
        "or external with metrics of your own",
    ),
    Refusal(
        "budget that blocks a drain",
        {"pdb": {"enabled": True, "minAvailable": 1}},
        "pdb.minAvailable must be less than replicas.min, or no node could ever be drained",
    ),
    Refusal(
        "two ports in Knative",
        {"deploymentMode": "Knative"},
        "Knative has one port: set rest.enabled or grpc.enabled to false",
    ),
    Refusal(
        "no port in Knative",
        {**_KNATIVE, "rest": {"enabled": False}},
        "rest.enabled and grpc.enabled are both false: nobody could call it; enable one",
    ),
    Refusal(
        "HPA in Knative",
        {**_KNATIVE, "autoscaling": {"class": "hpa"}},
        "autoscaling.class hpa is for Standard; Knative scales by itself between replicas.min and replicas.max: "
        "leave it none",
    ),
    Refusal(
        "CPU metric in Knative",
        {**_KNATIVE, "autoscaling": {"metric": "cpu"}},
        "autoscaling.metric cpu: Knative's own scaler knows concurrency and rps",
    ),
    Refusal(
        "strategy in Knative",
        {**_KNATIVE, "strategy": {"type": "Recreate"}},
        "strategy is for Standard; Knative brings up a revision and moves the traffic: leave it out",
    ),
    Refusal(
        "preStop in Knative",
        {**_KNATIVE, "preStopSeconds": 10},
        "preStopSeconds is for Standard; in Knative queue-proxy drains the pod: leave it out",
    ),
    Refusal(
        "budget in Knative",
        {**_KNATIVE, "pdb": {"enabled": True}},
        "pdb is for Standard: Knative's pods come and go with the calls",
    ),
    Refusal(
        "PodMonitor in Knative",
        {**_KNATIVE, "podMonitor": {"enabled": True}},
        "podMonitor is for Standard: Knative renames the port it reads; leave scrapeAnnotations on",
    ),
    Refusal(
        "name of a RayService",
        {"fullnameOverride": "a" * 44, "cpu": {"enabled": False}, "ray": {"enabled": True}},
        f'"{"a" * 44}-ray" cannot be the name of a RayService: small letters, digits and dashes, a letter first, 47 '
        "characters; choose another release name or fullnameOverride",
    ),
    Refusal(
        "weights that KServe fetches, for Ray",
        {"ray": {"enabled": True}, "storageUris": [{"uri": "s3://weights"}]},
        _RAY_WEIGHTS,
    ),
    Refusal(
        "destinations that KServe fetches, for Ray",
        {"ray": {"enabled": True, "destinations": {"storageUri": "s3://portraits"}}},
        _RAY_WEIGHTS,
    ),
    Refusal(
        "Ray without weights",
        {"ray": {"enabled": True, "model": {"recipe": "onnx"}}},
        "model.recipe onnx needs weights: give storageUris or weights.claim or, where the image holds them, "
        "model.weightsDir",
    ),
    Refusal(
        "the peers' own pipeline behind Ray",
        {"ray": {"enabled": True, "model": {"recipe": "reference", "weightsDir": "/weights"}}},
        "model.recipe reference runs the peers' own pipeline in one piece; it cannot go behind Ray: set "
        "ray.model.recipe",
    ),
    Refusal(
        "variable of Ray",
        {"ray": {"enabled": True, "extraEnv": [{"name": "RAY_USAGE_STATS_ENABLED", "value": "1"}]}},
        "extraEnv: RAY_USAGE_STATS_ENABLED is written by the chart; use the value it has for that (model, rest, grpc, "
        "storageUris, destinations)",
    ),
    Refusal(
        "network policy and Ray",
        {"ray": {"enabled": True}, "networkPolicy": {"enabled": True}},
        "networkPolicy covers no RayService, whose own ports run code for whoever reaches them: move it under cpu or "
        "gpu, and write one for app.kubernetes.io/component: ray in extraObjects",
    ),
    Refusal(
        "a node of Ray without a bound of memory",
        {"ray": {"enabled": True, "workers": {"resources": {"limits": {"memory": None}}}}},
        "ray.workers.resources.limits.memory is missing: Ray would count on all the memory of the node",
    ),
    Refusal(
        "fewer workers than the least",
        {"ray": {"enabled": True, "workers": {"min": 3, "max": 2}}},
        "ray.workers.max is less than ray.workers.min",
    ),
    Refusal(
        "replicas from many to few",
        {"ray": {"enabled": True, "stages": {"replicas": "4-1"}}},
        "ray.stages.replicas 4-1: the most are less than the least",
    ),
    Refusal(
        "replicas without a place",
        {"ray": {"enabled": True, "stages": {"replicas": "3"}}},
        "ray.stages: four stages have 12 replicas at least, and ray.workers.min workers places for 8; raise "
        "ray.workers, or lower ray.stages.cpus",
    ),
    Refusal(
        "an old cluster that goes too early",
        {"ray": {"enabled": True, "deletionDelaySeconds": 119}},
        "ray.deletionDelaySeconds 119: calls would end with the old cluster; twice ray.connectionSeconds and "
        "model.graceSeconds are 120",
    ),
]
