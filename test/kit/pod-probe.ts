// What a kubelet, a client and an app would ask of a sidecar in a pod. Runs in the pod's network; prints what it saw as JSON.
import { request } from 'node:http';
import { readDocument } from './document-socket.ts';
import { eventually } from './eventually.ts';

export interface PodProbeInput {
  apiPort: number;
  socketPort: number;
  token: string;
}

export interface PodProbe {
  readyStatus: number;
  liveStatus: number;
  withoutToken: number;
  plainOnSocketPort: number;
  document: string;
  wrote: number;
  git: { status: number; branch: unknown };
  page: number;
  status: string;
  checks: { name: string; ok: boolean; text: string }[];
}

const { apiPort, socketPort, token } = JSON.parse(process.argv[2] ?? '') as PodProbeInput;
const url = `http://127.0.0.1:${apiPort}`;
const headers = { authorization: `Bearer ${token}` };

await eventually(async () => (await kubelet('/readyz')) === 200, 20_000);
const git = await fetch(`${url}/api/git.status`, { headers });
const health = (await (await fetch(`${url}/api/system.health`, { headers })).json()) as Pick<PodProbe, 'status' | 'checks'>;
const probe: PodProbe = {
  readyStatus: await kubelet('/readyz'),
  liveStatus: await kubelet('/healthz'),
  withoutToken: (await fetch(`${url}/api/system.info`)).status,
  plainOnSocketPort: (await fetch(`http://127.0.0.1:${socketPort}/`)).status,
  document: await readDocument(`ws://127.0.0.1:${socketPort}/ws/doc/module.py`, token),
  wrote: (await fetch(`${url}/api/files/made/by-sidecar.txt`, { method: 'PUT', headers, body: 'by the sidecar\n' })).status,
  git: { status: git.status, branch: ((await git.json()) as { branch?: unknown }).branch },
  page: (await fetch(`${url}/`)).status,
  status: health.status,
  checks: health.checks,
};
process.stdout.write(JSON.stringify(probe));

/** A probe names the pod by its address. */
function kubelet(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port: apiPort, path, headers: { host: `10.244.1.7:${apiPort}`, 'user-agent': 'kube-probe/1.33' } },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    asked.once('error', reject).end();
  });
}
