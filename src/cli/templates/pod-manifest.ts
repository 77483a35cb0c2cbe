export interface PodManifestInput {
  /** Name of the pod; its secret is `<name>-sidecar-token`. */
  name: string;
  /** Of the sidecar. */
  image: string;
}

/**
 * A pod with an app and the sidecar beside it on one folder. deploy/pod.yaml is this text (a test compares), and so is what
 * `outrigger init` writes.
 */
export function podManifest({ name, image }: PodManifestInput): string {
  return `# An app (here Odoo) and its sidecar on one folder. The sidecar is a native one: an init container that keeps running
# (restartPolicy: Always; on by default since Kubernetes 1.29, stable since 1.33). It starts before the app and stops after it.
#
# The token, made once:
#   kubectl create secret generic ${name}-sidecar-token --from-literal=token="$(openssl rand -base64 24)"
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  labels:
    app.kubernetes.io/name: ${name}
spec:
  # More than the sidecar's own grace (option stopGraceMs, 10 s) and what it takes to save documents after that.
  terminationGracePeriodSeconds: 45
  securityContext:
    # The shared folder belongs to this group, and both containers are in it: what one writes, the other may change.
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault

  initContainers:
  - name: editor-sync
    image: ${image}
    restartPolicy: Always
    ports:
    - name: api
      containerPort: 3000  # REST API, RPC, workbench
    - name: sockets
      containerPort: 3001  # WebSocket
    env:
    - name: WORKSPACE_PATH
      value: /mnt/addons
    - name: API_PORT
      value: "3000"
    - name: WS_PORT
      value: "3001"
    - name: OUTRIGGER_TOKEN_FILE
      value: /run/secrets/sidecar/token
    # The name by which a proxy or Service calls it must be said, else it is refused (DNS rebinding):
    # - name: OUTRIGGER_ALLOWED_HOSTS
    #   value: .example.com
    # TLS ends before the pod, at an ingress:
    # - name: OUTRIGGER_TLS
    #   value: terminated
    startupProbe:
      httpGet:
        path: /readyz
        port: api
      periodSeconds: 1
      failureThreshold: 120
    readinessProbe:
      httpGet:
        path: /readyz
        port: api
      periodSeconds: 5
    livenessProbe:
      httpGet:
        path: /healthz
        port: api
      periodSeconds: 10
      failureThreshold: 6
    securityContext:
      runAsNonRoot: true
      runAsUser: 10001
      runAsGroup: 10001
      readOnlyRootFilesystem: true
      allowPrivilegeEscalation: false
      capabilities:
        drop:
        - ALL
    resources:
      requests:
        cpu: 50m
        memory: 128Mi
      limits:
        memory: 512Mi
    volumeMounts:
    - name: workspace
      mountPath: /mnt/addons
    - name: state
      mountPath: /state
    - name: tmp
      mountPath: /tmp
    - name: sidecar-token
      mountPath: /run/secrets/sidecar
      readOnly: true

  containers:
  - name: odoo
    image: odoo:18.0
    ports:
    - containerPort: 8069
    volumeMounts:
    - name: workspace
      mountPath: /mnt/addons

  volumes:
  - name: workspace
    emptyDir: {}
  # What the sidecar remembers: changes, tokens, edits that are not in a file yet. It outlives a restart of the container.
  - name: state
    emptyDir: {}
  - name: tmp
    emptyDir: {}
  - name: sidecar-token
    secret:
      secretName: ${name}-sidecar-token
      defaultMode: 0440
      items:
      - key: token
        path: token
`;
}
