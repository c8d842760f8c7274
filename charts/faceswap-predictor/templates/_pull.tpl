{{/* The service whose recipe, licences and image the pull uses: the first that needs weights, else the first. */}}
{{- define "faceswap-predictor.pullingService" -}}
{{- $services := (include "faceswap-predictor.allServices" . | fromJson).services -}}
{{- $chosen := first $services -}}
{{- range reverse $services -}}
{{- if ne .model.recipe "embedded" -}}{{- $chosen = . -}}{{- end -}}
{{- end -}}
{{- toJson $chosen -}}
{{- end -}}

{{/* The Job's pod. The claim lies where the servers have it, so that a manifest on it has one path. Called with root and service. */}}
{{- define "faceswap-predictor.pullTemplate" -}}
{{- $service := .service -}}
{{- $pull := .root.Values.weights.pull -}}
metadata:
  labels:
    {{- $labels := include "faceswap-predictor.labels" .root | fromYaml }}
    {{- merge (dict "app.kubernetes.io/component" "weights-pull") $labels | toYaml | nindent 4 }}
spec:
  # a pod that failed stays, with its log; the next one goes on where it was
  restartPolicy: Never
  enableServiceLinks: false
  automountServiceAccountToken: false
  {{- with include "faceswap-predictor.serviceAccountName" .root }}
  serviceAccountName: {{ . }}
  {{- end }}
  {{- with $service.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- include "faceswap-predictor.securityContext" (dict "service" $service "context" $service.podSecurityContext) | nindent 4 }}
  containers:
    - name: pull
      image: {{ include "faceswap-predictor.image" $service.image }}
      imagePullPolicy: {{ $service.image.pullPolicy }}
      command: {{ concat (list "python" "-m" "predictor" "weights" "pull") $pull.files (list "--to" "/mnt/models") | toJson }}
      env:
        {{- include "faceswap-predictor.pullVariables" $service.model | nindent 8 }}
        {{- with $pull.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      resources:
        {{- toYaml $pull.resources | nindent 8 }}
      securityContext:
        {{- include "faceswap-predictor.securityContext" (dict "service" $service "context" $service.containerSecurityContext) | nindent 8 }}
      terminationMessagePolicy: FallbackToLogsOnError
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        - name: weights
          mountPath: /mnt/models
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: {{ $service.tmp.sizeLimit }}
    - name: weights
      persistentVolumeClaim:
        claimName: {{ include "faceswap-predictor.weightsClaimName" .root }}
{{- end -}}

{{/* Where it can write, and the settings that say what is to be pulled. Called with a model. */}}
{{- define "faceswap-predictor.pullVariables" -}}
{{- $steps := pick . "recipe" "detector" "embedder" "swapper" "restorer" "upsampler" "restorerMask" -}}
{{- $rules := pick . "acceptedLicences" "profile" "weightsManifest" "logLevel" -}}
{{ include "faceswap-predictor.writablePlaces" . }}
{{- include "faceswap-predictor.variables" (merge $steps $rules) -}}
{{- end -}}
