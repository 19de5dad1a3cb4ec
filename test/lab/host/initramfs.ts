/**
 * The initramfs of the machines: busybox, the modules that find the root by 9p, and `init.sh`. Made anew
 * when one of them changed; it is named by what is in it.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Cache, DATA } from './files.ts';
import { type Kernel, modulesFor } from './prepare.ts';
import type { RunFolder } from './run-folder.ts';

const MODULES = [
  'virtio_pci',
  '9pnet_virtio',
  '9p',
  'overlay',
  'virtio_console',
  'virtio_blk',
  'ext4',
];
const APPLETS = ['sh', 'mount', 'umount', 'insmod', 'mkdir', 'cat', 'switch_root'];

function busyboxPath(): string {
  const path = ['/bin/busybox', '/usr/bin/busybox'].find((one) => existsSync(one));
  if (path === undefined) throw new Error('no busybox');
  return path;
}

function pack(folder: string, names: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync('cpio', ['-o', '-H', 'newc', '--quiet'], {
    cwd: folder,
    input: `${names.join('\n')}\n`,
    maxBuffer: 64 << 20,
  });
  if (status !== 0) throw new Error(`cpio: ${stderr.toString()}`);
  return gzipSync(stdout, { level: 1 });
}

function moduleName(path: string): string {
  return basename(path).replace(/\.xz$/u, '');
}

/** Newer kernels compress their modules, which busybox may not be able to read. */
function copyModule(from: string, to: string): void {
  if (!from.endsWith('.xz')) {
    copyFileSync(from, to);
    return;
  }
  const { status, stdout } = spawnSync('xz', ['-dc', from], { maxBuffer: 64 << 20 });
  if (status !== 0) throw new Error(`xz cannot unpack ${from}`);
  writeFileSync(to, stdout);
}

export function makeInitramfs(cache: Cache, kernel: Kernel, run: RunFolder): string {
  const init = readFileSync(join(DATA, 'guest/init.sh'));
  const hash = createHash('sha256').update(kernel.version).update(init).update(MODULES.join());
  const made = join(cache.folder, `initramfs-${hash.digest('hex').slice(0, 16)}.gz`);
  if (existsSync(made)) return made;
  const folder = run.file('initramfs');
  const folders = ['bin', 'lib', 'proc', 'sys', 'dev'];
  for (const name of folders) mkdirSync(join(folder, name), { recursive: true });
  copyFileSync(busyboxPath(), join(folder, 'bin/busybox'));
  chmodSync(join(folder, 'bin/busybox'), 0o755);
  for (const applet of APPLETS) symlinkSync('busybox', join(folder, 'bin', applet));
  writeFileSync(join(folder, 'init'), init, { mode: 0o755 });
  const modules = modulesFor(kernel, MODULES);
  for (const path of modules) copyModule(path, join(folder, 'lib', moduleName(path)));
  writeFileSync(join(folder, 'modules'), `${modules.map(moduleName).join('\n')}\n`);
  const names = [
    ...folders,
    'init',
    'modules',
    'bin/busybox',
    ...APPLETS.map((applet) => `bin/${applet}`),
    ...modules.map((path) => `lib/${moduleName(path)}`),
  ];
  const half = run.file('initramfs.gz');
  writeFileSync(half, pack(folder, names));
  rmSync(folder, { recursive: true, force: true });
  renameSync(half, made);
  return made;
}
