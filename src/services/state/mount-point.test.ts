import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMountPoint, parseMounts, virtualMounts } from './mount-point.ts';

test('a list of mounts is read as proc_pid_mountinfo(5) says, and tells what the kernel makes up', () => {
  const mounts = parseMounts(
    [
      '22 28 0:20 / /sys rw,nosuid - sysfs sysfs rw',
      '23 28 0:21 / /proc rw,nosuid shared:14 master:2 - proc proc rw',
      String.raw`98 28 254:0 /a\040b /srv/a\040\134b rw,relatime shared:1 - ext4 /dev/vda1 rw`,
      '99 28 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw',
      '',
    ].join('\n'),
  );
  assert.deepEqual(mounts, [
    { at: '/sys', type: 'sysfs' },
    { at: '/proc', type: 'proc' },
    { at: String.raw`/srv/a \b`, type: 'ext4' },
    { at: '/sys/fs/cgroup', type: 'cgroup2' },
  ]);
  assert.deepEqual(virtualMounts(mounts), ['/sys', '/proc', '/sys/fs/cgroup']);
});

test('on this machine /proc is one of them', { skip: process.platform !== 'linux' && 'there is no /proc' }, () => {
  assert.ok(virtualMounts().includes('/proc'));
  assert.deepEqual([isMountPoint('/proc'), isMountPoint('/proc/self/fd')], [true, false]);
});
