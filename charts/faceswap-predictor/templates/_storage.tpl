{{/*
What KServe fetches or mounts for a service: a list of {uri, mountPath}, JSON. A claim of weights is one of them, so that
it works in both modes in the same way; KServe mounts a claim directly, read-only, with no init container.
*/}}
{{- define "faceswap-predictor.storage" -}}
{{- $storage := .service.storageUris | default list -}}
{{- $claim := include "faceswap-predictor.weightsClaimName" .root -}}
{{- if and $claim .service.mountWeights -}}
{{- $storage = prepend $storage (dict "uri" (printf "pvc://%s" $claim)) -}}
{{- end -}}
{{- with .service.destinations.storageUri -}}
{{- $storage = append $storage (dict "uri" . "mountPath" "/mnt/destinations") -}}
{{- end -}}
{{- toJson $storage -}}
{{- end -}}

{{/*
Whether all of it is one entry at KServe's own place. It is then given as storageUri or STORAGE_URI: the only forms
that honour a sub path of a claim, and that allow a canary.
*/}}
{{- define "faceswap-predictor.isSingleStorage" -}}
{{- if and (eq (len .storage) 1) (eq (index .storage 0 | dig "mountPath" "/mnt/models") "/mnt/models") -}}yes{{- end -}}
{{- end -}}

{{/* predictor.storageUris, where one URI does not do. */}}
{{- define "faceswap-predictor.storageUris" -}}
{{- if and .storage (not (include "faceswap-predictor.isSingleStorage" .)) -}}
storageUris:
  {{- range .storage }}
  - uri: {{ .uri | quote }}
    mountPath: {{ .mountPath | default "/mnt/models" }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Where the weights lie, empty where the service has none: the first entry that is not destinations. */}}
{{- define "faceswap-predictor.weightsDir" -}}
{{- $service := . -}}
{{- if .model.weightsDir -}}
{{- .model.weightsDir -}}
{{- else -}}
{{- range first .storage | list | compact -}}
{{- $path := .mountPath | default "/mnt/models" -}}
{{- if ne $path "/mnt/destinations" -}}{{- $path -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether the storage initializer has to reach the network. */}}
{{- define "faceswap-predictor.hasRemoteStorage" -}}
{{- range .storage -}}{{- if not (hasPrefix "pvc://" .uri) -}}yes{{- end -}}{{- end -}}
{{- end -}}

{{/* Volumes of the pod and their mounts: /tmp, destinations from a ConfigMap or a claim, and the user's. */}}
{{- define "faceswap-predictor.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .tmp.sizeLimit }}
    {{- with .tmp.medium }}
    medium: {{ . }}
    {{- end }}
{{- with .destinations.configMap }}
- name: destinations
  configMap:
    name: {{ . }}
{{- end }}
{{- with .destinations.pvc.claimName }}
- name: destinations
  persistentVolumeClaim:
    claimName: {{ . }}
    readOnly: true
{{- end }}
{{- with .extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "faceswap-predictor.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if or .destinations.configMap .destinations.pvc.claimName }}
- name: destinations
  mountPath: /mnt/destinations
  readOnly: true
  {{- with .destinations.pvc.subPath }}
  subPath: {{ . }}
  {{- end }}
{{- end }}
{{- with .extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "faceswap-predictor.hasDestinations" -}}
{{- $from := .destinations -}}
{{- if or $from.configMap $from.pvc.claimName $from.storageUri -}}yes{{- end -}}
{{- end -}}
