"""What the cluster of the tests makes of each values file of the chart's ci/; the chart's README says the same."""

INSTALLED = {"canary", "cpu", "keda", "ray", "runtime-mode"}
DRY = {
    "both": "a GPU",
    "gpu": "a GPU, the RuntimeClass nvidia, and a way to the weights",
    "gpu-mig": "MIG slices, and a bucket",
    "knative": "Knative",
    "offline": "the registry that has the image",
    "openshift": "the Prometheus operator's CRDs",
}
"""What a cluster has to have for the others."""
