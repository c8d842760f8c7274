{{/*
Combinations that KServe or Kubernetes takes and that do nothing, hang, or fail where nobody looks. Each is refused here
with a sentence that says what to do instead; values.schema.json refuses what is wrong by itself.
*/}}
{{- define "faceswap-predictor.refuse" -}}
{{- $services := (include "faceswap-predictor.services" . | fromJson).services -}}
{{- $all := (include "faceswap-predictor.allServices" . | fromJson).services -}}
{{- if not $all -}}
{{- fail "cpu.enabled, gpu.enabled and ray.enabled are all false: there would be no predictor; enable one" -}}
{{- end -}}
{{- include "faceswap-predictor.refuseWeights" (dict "root" . "services" $all) -}}
{{- with include "faceswap-predictor.ray" . | fromJson -}}
{{- include "faceswap-predictor.refuseRay" . -}}
{{- end -}}
{{- range $services -}}
{{- include "faceswap-predictor.refuseNames" . -}}
{{- include "faceswap-predictor.refuseRuntime" . -}}
{{- include "faceswap-predictor.refuseStorage" . -}}
{{- include "faceswap-predictor.refuseEnvironment" . -}}
{{- include "faceswap-predictor.refuseResources" . -}}
{{- include "faceswap-predictor.refuseStrategy" . -}}
{{- include "faceswap-predictor.refuseScaling" . -}}
{{- include "faceswap-predictor.refuseCanary" . -}}
{{- include "faceswap-predictor.refuseNetworkPolicy" . -}}
{{- if .knative -}}
{{- include "faceswap-predictor.refuseInKnative" . -}}
{{- else -}}
{{- include "faceswap-predictor.refuseInStandard" . -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.refuseWeights" -}}
{{- $weights := .root.Values.weights -}}
{{- $claim := include "faceswap-predictor.weightsClaimName" .root -}}
{{- if and $weights.pull.enabled (not $claim) -}}
{{- fail "weights.pull needs a claim to pull onto: set weights.claim.create or weights.claim.name" -}}
{{- end -}}
{{- if $weights.pull.enabled -}}
{{- $service := include "faceswap-predictor.pullingService" .root | fromJson -}}
{{- $ours := list -}}
{{- range include "faceswap-predictor.pullVariables" $service.model | fromYamlArray -}}{{- $ours = append $ours .name -}}{{- end -}}
{{- range $weights.pull.extraEnv -}}
{{- if has .name $ours -}}
{{- fail (printf "weights.pull.extraEnv: %s is written by the chart; use the value it has for that in model" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $recipes := list -}}
{{- range .services -}}{{- $recipes = append $recipes .model.recipe -}}{{- end -}}
{{- if and $weights.pull.enabled (not $weights.pull.files) (eq (uniq $recipes | join ",") "embedded") -}}
{{- fail "weights.pull has nothing to pull: the recipe embedded needs no weights; choose another model.recipe, or name the files in weights.pull.files" -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.refuseNames" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" .name) -}}
{{- fail (printf "%q cannot be the name of an InferenceService: small letters, digits and dashes, a letter first; choose another release name or fullnameOverride" .name) -}}
{{- end -}}
{{- $longest := .name -}}
{{- if and .canary.enabled (not .knative) -}}{{- $longest = printf "%s-%s" .name .canary.name -}}{{- end -}}
{{- $length := add (len $longest) (len .namespace) -}}
{{- if gt $length 52 -}}
{{- fail (printf "%q and the namespace %q have %d characters together; KServe's host name NAME-predictor-NAMESPACE leaves them 52: choose a shorter release name or fullnameOverride" $longest .namespace $length) -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.refuseRuntime" -}}
{{- if eq .mode "runtime" -}}
{{- if and (not .runtime.create) (not .runtime.name) -}}
{{- fail "runtime.create is false: name the runtime that is there in runtime.name" -}}
{{- end -}}
{{- if not .storage -}}
{{- fail "mode runtime needs storageUris or weights.claim: KServe takes a model without storage for a multi-model server and puts an agent beside it; for weights in the image, or none, use mode container" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.refuseStorage" -}}
{{- if and (ne .model.recipe "embedded") (not (include "faceswap-predictor.weightsDir" .)) -}}
{{- fail (printf "model.recipe %s needs weights: give storageUris or weights.claim or, where the image holds them, model.weightsDir" .model.recipe) -}}
{{- end -}}
{{- $claims := list -}}{{- $paths := list -}}
{{- $single := include "faceswap-predictor.isSingleStorage" . -}}
{{- range .storage -}}
{{- $path := .mountPath | default "/mnt/models" -}}
{{- if has $path $paths -}}
{{- fail (printf "storageUris: two entries for %s, of which KServe would drop one without a word; give each its mountPath" $path) -}}
{{- end -}}
{{- $paths = append $paths $path -}}
{{- if hasPrefix "pvc://" .uri -}}
{{- $claim := regexFind "^[^/]+" (trimPrefix "pvc://" .uri) -}}
{{- if has $claim $claims -}}
{{- fail (printf "storageUris: the claim %s stands there twice, and the pod would hang in ContainerCreating; use one entry and folders in it" $claim) -}}
{{- end -}}
{{- $claims = append $claims $claim -}}
{{- if and (not $single) (ne (printf "pvc://%s" $claim) (trimSuffix "/" .uri)) -}}
{{- fail (printf "storageUris: beside another entry, or with a mountPath, KServe ignores the sub path of %s and mounts the whole claim; name the claim alone" .uri) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .storageContainerName .storage (not $single) -}}
{{- fail "storageContainerName serves one URI at KServe's own place only; give one storageUris entry without mountPath" -}}
{{- end -}}
{{- $from := .destinations -}}
{{- if gt (len (compact (list $from.configMap $from.pvc.claimName $from.storageUri))) 1 -}}
{{- fail "destinations come from one place: configMap, pvc or storageUri" -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.refuseEnvironment" -}}
{{- $ours := list "STORAGE_URI" -}}
{{- range (include "faceswap-predictor.environment" (omit . "extraEnv") | fromYamlArray) -}}
{{- $ours = append $ours .name -}}
{{- end -}}
{{- range .extraEnv -}}
{{- if eq .name "PYTHONPATH" -}}
{{- fail "extraEnv: KServe refuses PYTHONPATH in any container; install what is needed in the image" -}}
{{- end -}}
{{- if has .name $ours -}}
{{- fail (printf "extraEnv: %s is written by the chart; use the value it has for that (model, rest, grpc, storageUris, destinations)" .name) -}}
{{- end -}}
{{- end -}}
{{- if le (float64 .model.graceSeconds) (float64 .model.drainDelaySeconds) -}}
{{- fail "model.graceSeconds must be larger than model.drainDelaySeconds, which it includes" -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.refuseResources" -}}
{{- $service := . -}}
{{- range $kind := list "requests" "limits" -}}
{{- range $name := list "cpu" "memory" -}}
{{- if not (dig $kind $name "" $service.resources) -}}
{{- fail (printf "resources.%s.%s is missing: KServe would fill it with 1 CPU or 2Gi, and fail where a request is larger; write all four" $kind $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq .device "gpu" -}}
{{- if and (contains "/mig-" .resource) (gt (int .count) 1) -}}
{{- fail (printf "gpu.count %d of %s: a process runs on one MIG slice; take a larger slice, or raise gpu.replicas" (int .count) .resource) -}}
{{- end -}}
{{- if and (hasPrefix "amd.com/" .resource) (has .model.provider (list "cuda" "tensorrt")) -}}
{{- fail (printf "gpu.resource %s: the provider %s runs on NVIDIA only; give gpu.image one built for ROCm, and gpu.model.provider auto" .resource .model.provider) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.refuseStrategy" -}}
{{- if and (eq (.strategy.type | default "") "Recreate") (or (hasKey .strategy "maxSurge") (hasKey .strategy "maxUnavailable")) -}}
{{- fail "strategy: Recreate has no maxSurge and no maxUnavailable; leave them out" -}}
{{- end -}}
{{- if not .knative -}}
{{- $rolling := (include "faceswap-predictor.deploymentStrategy" . | fromYaml).rollingUpdate | default dict -}}
{{- if and $rolling (has (toString $rolling.maxSurge) (list "0" "0%")) (has (toString $rolling.maxUnavailable) (list "0" "0%")) -}}
{{- fail "strategy: with maxSurge 0 and maxUnavailable 0 no pod could ever be replaced; raise one of them" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.refuseScaling" -}}
{{- $class := .autoscaling.class -}}
{{- if and (ne $class "external") .autoscaling.metrics -}}
{{- fail (printf "autoscaling.metrics: the class %s takes none (KServe's HPA would scale on the CPU at 80%% and say nothing); use the class external" $class) -}}
{{- end -}}
{{- if and .autoscaling.behavior (not (has $class (list "external" "keda"))) -}}
{{- fail (printf "autoscaling.behavior has no effect with the class %s; use external or keda" $class) -}}
{{- end -}}
{{- if and (ne $class "none") (lt (int .replicas.max) (int .replicas.min)) -}}
{{- fail "replicas.max is less than replicas.min" -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.refuseCanary" -}}
{{- if .canary.enabled -}}
{{- if .knative -}}
{{- if or .canary.image .canary.model -}}
{{- fail "canary.image and canary.model are for Standard; in Knative the canary is the newest revision: change image and model themselves" -}}
{{- end -}}
{{- else -}}
{{- if and (eq .mode "container") (not (include "faceswap-predictor.isSingleStorage" .)) -}}
{{- fail "canary: KServe takes one in mode container only with STORAGE_URI; give weights as one storageUris entry without mountPath, or use mode runtime" -}}
{{- end -}}
{{- if has .autoscaling.class (list "hpa" "keda") -}}
{{- fail "canary: with the class hpa KServe leaves the canary's HPA behind for ever, with keda it makes it an empty ScaledObject and fails; use none or external, which scale the stable predictor only" -}}
{{- end -}}
{{- if gt (int .canary.replicas) (int .replicas.min) -}}
{{- fail "canary.replicas is more than replicas.min, which KServe refuses" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.refuseNetworkPolicy" -}}
{{- if and .networkPolicy.enabled (not .networkPolicy.egress) (include "faceswap-predictor.hasRemoteStorage" .) -}}
{{- fail "networkPolicy lets nothing out, and the weights or destinations come from the network: write networkPolicy.egress for the storage and DNS" -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.refuseInStandard" -}}
{{- $class := .autoscaling.class -}}
{{- if not .rest.enabled -}}
{{- fail "rest.enabled false is for Knative; in Standard the Service's port 80 is REST, and gRPC stands beside it" -}}
{{- end -}}
{{- if .containerConcurrency -}}
{{- fail "containerConcurrency does nothing in Standard; use model.workers and model.queueLength" -}}
{{- end -}}
{{- if and (has $class (list "hpa" "external")) (has .autoscaling.metric (list "concurrency" "rps")) -}}
{{- fail (printf "autoscaling.metric %s is Knative's: the class %s would scale on the CPU and say nothing; use cpu or memory, or the class keda" .autoscaling.metric $class) -}}
{{- end -}}
{{- if and (has $class (list "none" "keda")) (or .autoscaling.metric .autoscaling.target) -}}
{{- fail (printf "autoscaling.metric and autoscaling.target have no effect with the class %s; use hpa or external, or autoscaling.keda" $class) -}}
{{- end -}}
{{- if and (eq $class "hpa") (gt (.autoscaling.target | default 80 | int) 100) -}}
{{- fail (printf "autoscaling.target %d: KServe's own HPA takes 1 to 100 percent of the request; the class external takes more" (int .autoscaling.target)) -}}
{{- end -}}
{{- if and (eq $class "none") (gt (int .replicas.max) (int .replicas.min)) -}}
{{- fail "replicas.max is more than replicas.min, but autoscaling.class none never scales; choose hpa, external or keda" -}}
{{- end -}}
{{- if and (ne $class "keda") (eq (int .replicas.min) 0) -}}
{{- fail (printf "replicas.min 0 is not possible with the class %s in Standard (KServe makes it 1, or says Ready with no pod); use keda or Knative" $class) -}}
{{- end -}}
{{- if and (eq $class "keda") (not .autoscaling.keda.serverAddress) -}}
{{- fail "autoscaling.class keda asks Prometheus: set autoscaling.keda.serverAddress" -}}
{{- end -}}
{{- if and (eq .device "gpu") (or (eq $class "hpa") (and (eq $class "external") (not .autoscaling.metrics))) -}}
{{- fail (printf "gpu.autoscaling.class %s would scale on the CPU, which says nothing of a GPU; use keda, or external with metrics of your own" $class) -}}
{{- end -}}
{{- if and .pdb.enabled (not (kindIs "invalid" .pdb.minAvailable)) (kindIs "float64" .pdb.minAvailable) (ge (int .pdb.minAvailable) (int .replicas.min)) -}}
{{- fail "pdb.minAvailable must be less than replicas.min, or no node could ever be drained" -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.refuseInKnative" -}}
{{- if and .rest.enabled .grpc.enabled -}}
{{- fail "Knative has one port: set rest.enabled or grpc.enabled to false" -}}
{{- end -}}
{{- if not (or .rest.enabled .grpc.enabled) -}}
{{- fail "rest.enabled and grpc.enabled are both false: nobody could call it; enable one" -}}
{{- end -}}
{{- if ne .autoscaling.class "none" -}}
{{- fail (printf "autoscaling.class %s is for Standard; Knative scales by itself between replicas.min and replicas.max: leave it none" .autoscaling.class) -}}
{{- end -}}
{{- if has .autoscaling.metric (list "cpu" "memory") -}}
{{- fail (printf "autoscaling.metric %s: Knative's own scaler knows concurrency and rps" .autoscaling.metric) -}}
{{- end -}}
{{- if .strategy -}}
{{- fail "strategy is for Standard; Knative brings up a revision and moves the traffic: leave it out" -}}
{{- end -}}
{{- if not (kindIs "invalid" .preStopSeconds) -}}
{{- fail "preStopSeconds is for Standard; in Knative queue-proxy drains the pod: leave it out" -}}
{{- end -}}
{{- if .pdb.enabled -}}
{{- fail "pdb is for Standard: Knative's pods come and go with the calls" -}}
{{- end -}}
{{- if .podMonitor.enabled -}}
{{- fail "podMonitor is for Standard: Knative renames the port it reads; leave scrapeAnnotations on" -}}
{{- end -}}
{{- end -}}
