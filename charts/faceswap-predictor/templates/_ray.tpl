{{/* The RayService as a service: the shared values with those of `ray` over them, JSON; {} where there is none. */}}
{{- define "faceswap-predictor.ray" -}}
{{- if .Values.ray.enabled -}}
{{- include "faceswap-predictor.service" (dict "root" . "device" "ray") -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{/* Where it is called: KubeRay's Service of it, which follows from one cluster to the next. */}}
{{- define "faceswap-predictor.rayHost" -}}
{{ .name }}-serve-svc.{{ .namespace }}.svc
{{- end -}}

{{/* What Ray Serve runs. All settings stand in the environment, for its proxies read them as well. */}}
{{- define "faceswap-predictor.serveConfig" -}}
proxy_location: HeadOnly
http_options:
  host: 0.0.0.0
  port: 8000
  keep_alive_timeout_s: {{ ceil .connectionSeconds }}
grpc_options:
  port: 9000
  grpc_servicer_functions: [predictor.scaling.proxy.add_to_server]
applications:
  - name: faceswap
    route_prefix: /
    import_path: predictor.scaling.app:build
{{- end -}}

{{/* What Ray itself is told. */}}
{{- define "faceswap-predictor.rayVariables" -}}
- name: RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH
  value: predictor.scaling.proxy.middlewares
{{- /* else logs stay in files of the pod, and go with it */}}
- name: RAY_LOG_TO_STDERR
  value: "1"
- name: RAY_USAGE_STATS_ENABLED
  value: "0"
{{- end -}}

{{- define "faceswap-predictor.rayScales" -}}
{{- if gt (int .workers.max) (int .workers.min) -}}yes{{- end -}}
{{- end -}}

{{/* A node of Ray. Called with root, service, and group: head or workers. */}}
{{- define "faceswap-predictor.rayPod" -}}
{{- $service := .service -}}
{{- $isHead := eq .group "head" -}}
metadata:
  labels:
    {{- /* KubeRay's own app.kubernetes.io/name is what its Services go by */}}
    {{- $labels := omit (include "faceswap-predictor.labels" .root | fromYaml) "app.kubernetes.io/name" }}
    {{- merge (dict "app.kubernetes.io/component" "ray") $service.podLabels $labels | toYaml | nindent 4 }}
  {{- $annotations := deepCopy $service.podAnnotations }}
  {{- if and $isHead $service.scrapeAnnotations (not $service.podMonitor.enabled) }}
  {{- $annotations = merge $annotations (dict "prometheus.io/scrape" "true" "prometheus.io/path" "/metrics" "prometheus.io/port" "8000") }}
  {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  enableServiceLinks: false
  {{- /* Ray's autoscaler, beside the head, asks Kubernetes for workers */}}
  automountServiceAccountToken: {{ and $isHead (include "faceswap-predictor.rayScales" $service | eq "yes") }}
  {{- with include "faceswap-predictor.serviceAccountName" .root }}
  serviceAccountName: {{ . }}
  {{- end }}
  {{- with $service.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ include "faceswap-predictor.terminationGracePeriodSeconds" $service }}
  securityContext:
    {{- include "faceswap-predictor.securityContext" (dict "service" $service "context" $service.podSecurityContext) | nindent 4 }}
  {{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
  {{- with index $service $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- range $key := list "runtimeClassName" "priorityClassName" }}
  {{- with index $service $key }}
  {{ $key }}: {{ . }}
  {{- end }}
  {{- end }}
  containers:
    - name: ray-{{ $isHead | ternary "head" "worker" }}
      image: {{ include "faceswap-predictor.image" $service.image }}
      imagePullPolicy: {{ $service.image.pullPolicy }}
      {{- if $isHead }}
      ports:
        {{- include "faceswap-predictor.rayPorts" . | nindent 8 }}
      {{- end }}
      env:
        {{- include "faceswap-predictor.environment" $service | nindent 8 }}
      {{- with $service.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if $isHead }}
      {{- with include "faceswap-predictor.lifecycle" $service }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- else }}
      # in the Service is what has a proxy, and none but the head has one: a worker that is lost takes no connection along
      readinessProbe:
        httpGet:
          path: /-/healthz
          port: 8000
      {{- end }}
      resources:
        {{- toYaml (index $service .group).resources | nindent 8 }}
      securityContext:
        {{- include "faceswap-predictor.securityContext" (dict "service" $service "context" $service.containerSecurityContext) | nindent 8 }}
      terminationMessagePolicy: FallbackToLogsOnError
      volumeMounts:
        {{- include "faceswap-predictor.volumeMounts" $service | nindent 8 }}
        {{- if $service.storage }}
        - name: weights
          mountPath: /mnt/models
          readOnly: true
        {{- end }}
  volumes:
    {{- include "faceswap-predictor.volumes" $service | nindent 4 }}
    {{- range $service.storage }}
    - name: weights
      persistentVolumeClaim:
        claimName: {{ trimPrefix "pvc://" .uri }}
        readOnly: true
    {{- end }}
{{- end -}}

{{/* KubeRay's Service of the service has what is called serve…; the others are Ray's own, by KubeRay's names. */}}
{{- define "faceswap-predictor.rayPorts" -}}
- name: serve
  containerPort: 8000
- name: serve-grpc
  containerPort: 9000
- name: gcs-server
  containerPort: 6379
- name: dashboard
  containerPort: 8265
- name: client
  containerPort: 10001
- name: metrics
  containerPort: 8080
{{- end -}}
