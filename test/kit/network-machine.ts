// A small machine with real clients of NFS and SMB: User Mode Linux, which runs as a program and has the files of this machine. It serves a folder to itself.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

export type NetworkVolume = 'nfs' | 'smb';

const programs: Record<NetworkVolume, readonly string[]> = {
  nfs: ['linux.uml', 'modprobe', 'rpcbind', 'rpc.mountd', 'rpc.nfsd', 'exportfs', 'mount.nfs4'],
  smb: ['linux.uml', 'modprobe', 'smbd', 'mount.cifs'],
};
const packages: Record<NetworkVolume, string> = {
  nfs: 'user-mode-linux kmod rpcbind nfs-kernel-server nfs-common',
  smb: 'user-mode-linux kmod samba cifs-utils',
};
const MODULES = '/usr/lib/uml/modules';

/** Lines of a shell that serve /run/served and mount it at /run/mounted. */
const mounting: Record<NetworkVolume, string> = {
  nfs: `for module in nfsd nfs nfsv4; do modprobe -d "$HERE" $module; done
mount -t tmpfs nfs /var/lib/nfs
mkdir -p /run/rpcbind /var/lib/nfs/v4recovery /var/lib/nfs/sm /var/lib/nfs/sm.bak
touch /var/lib/nfs/etab /var/lib/nfs/rmtab /var/lib/nfs/state
mount -t nfsd nfsd /proc/fs/nfsd
rpcbind -w
rpc.mountd
rpc.nfsd 4
exportfs -i -o rw,no_root_squash,fsid=0,insecure,no_subtree_check 127.0.0.1:/run/served
mount -t nfs4 -o vers=4.2 127.0.0.1:/ /run/mounted`,
  smb: `modprobe -d "$HERE" cifs
mkdir -p /run/samba/private /run/log
mount -t tmpfs samba /var/lib/samba
mkdir -p /var/lib/samba/private
cat > /run/smb.conf <<'END'
[global]
  server role = standalone server
  map to guest = Bad User
  guest account = root
  private dir = /run/samba/private
  state directory = /run/samba
  cache directory = /run/samba
  lock directory = /run/samba
  pid directory = /run/samba
  bind interfaces only = yes
  interfaces = lo
  log file = /run/log/samba
[share]
  path = /run/served
  guest ok = yes
  read only = no
  force user = root
END
smbd -D -s /run/smb.conf
for try in 1 2 3 4 5 6 7 8 9 10; do
  mount -t cifs //127.0.0.1/share /run/mounted -o guest,sec=none,vers=3.1.1,uid=0,gid=0 && break
  sleep 1
done`,
};

/** For a test's `skip` option: why there can be no such machine, else false. */
export function noMachineWith(volume: NetworkVolume): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  const folders = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`.split(':');
  const missing = programs[volume].filter((program) => !folders.some((folder) => fs.existsSync(path.join(folder, program))));
  return missing.length > 0 && `needs ${missing.join(', ')}: apt-get install ${packages[volume]}`;
}

/**
 * Runs a program of Node's in the machine, with `folder` for scratch. It is given the folder as it is mounted, the one that is served, and one for state.
 * Gives what was said on the console.
 */
export function runOnVolume(volume: NetworkVolume, program: string, folder: string, { timeoutMs }: { timeoutMs: number }): string {
  const init = path.join(folder, 'init.sh');
  fs.mkdirSync(path.join(folder, 'lib'));
  fs.symlinkSync(MODULES, path.join(folder, 'lib/modules'));
  fs.writeFileSync(
    init,
    `#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin NO_COLOR=1 HERE='${folder}'
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir -p /run/served /run/mounted /run/state
mount -t tmpfs served /run/served
ip link set lo up
${mounting[volume]}
export TMPDIR=/run HOME=/run
mountpoint -q /run/mounted && '${process.execPath}' '${program}' /run/mounted /run/served /run/state
echo "ended with $?"
poweroff -f
`,
    { mode: 0o700 },
  );
  const kernel = [
    'mem=2G',
    'root=/dev/root',
    'rootfstype=hostfs',
    'rootflags=/',
    'rw',
    `init=${init}`,
    'con=null',
    'con0=fd:0,fd:1',
    'quiet',
  ];
  const { stdout, error } = spawnSync('linux.uml', kernel, {
    env: { ...process.env, TMPDIR: folder, HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: timeoutMs,
  });
  if (error !== undefined) throw error;
  return stdout;
}
