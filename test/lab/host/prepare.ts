/**
 * Makes this host able to run the lab, or says in one line why it cannot. On a developer's machine
 * nothing is installed; in CI (CI=true) the packages are. The kernel of the machines is downloaded as a
 * package and unpacked into the cache folder: it is never installed here.
 */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Cache } from './files.ts';

/** Program, and the Debian package that brings it. */
const NEEDED: readonly (readonly [string, string])[] = [
  ['qemu-system-x86_64', 'qemu-system-x86'],
  ['busybox', 'busybox-static'],
  ['cpio', 'cpio'],
  ['mke2fs', 'e2fsprogs'],
  ['depmod', 'kmod'],
  ['xz', 'xz-utils'],
  ['udevadm', 'udev'],
  ['systemctl', 'systemd'],
  ['dbus-daemon', 'dbus'],
  ['iscsiadm', 'open-iscsi'],
  ['multipathd', 'multipath-tools'],
  ['mdadm', 'mdadm'],
  ['i2cset', 'i2c-tools'],
  ['iasl', 'acpica-tools'],
  ['ipmitool', 'ipmitool'],
  ['ipmi_sim', 'openipmi'],
  ['ip', 'iproute2'],
  ['setpriv', 'util-linux'],
  ['socat', 'socat'],
  ['snmpd', 'snmpd'],
  ['snmpset', 'snmp'],
];
const PLAIN = 'vmlinux';
const XZ_MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1');
const INSTALL_MS = 600_000;

export interface Kernel {
  readonly version: string;
  readonly image: string;
  /** Folder that holds lib/modules, as modprobe and depmod take it. */
  readonly base: string;
  /** Folder that holds VERSION/. */
  readonly modules: string;
}

export type Prepared =
  | { readonly kind: 'ready'; readonly kernel: Kernel; readonly accel: 'kvm' | 'tcg' }
  | { readonly kind: 'skip'; readonly why: string };

const PLACES = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];

export function onPath(program: string): boolean {
  return PLACES.some((folder) => existsSync(join(folder, program)));
}

export function run(argv: readonly [string, ...string[]], cwd?: string): string {
  const [file, ...rest] = argv;
  const { status, stdout, stderr, error } = spawnSync(file, rest, {
    encoding: 'utf8',
    timeout: INSTALL_MS,
    maxBuffer: 64 << 20,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (error !== undefined) throw new Error(`${file}: ${error.message}`);
  if (status !== 0) {
    throw new Error(`${argv.join(' ')} ended with status ${status}: ${stderr.slice(-2_000)}`);
  }
  return stdout;
}

function install(packages: readonly string[]): void {
  process.stderr.write(`lab: installing ${packages.join(' ')}\n`);
  run(['apt-get', 'update', '-q']);
  run(['apt-get', 'install', '-q', '-y', '--no-install-recommends', ...packages]);
}

function kernelPackage(): string {
  const found = /Depends: (linux-image-\d\S+)/u.exec(
    run(['apt-cache', 'depends', 'linux-image-amd64']),
  )?.[1];
  if (found === undefined) throw new Error('apt knows no kernel: run apt-get update');
  return found;
}

/** The kernel in a folder where its package was unpacked. Newer packages keep modules below usr/. */
function kernelIn(folder: string): Kernel | undefined {
  const base = ['', 'usr']
    .map((name) => join(folder, name))
    .find((one) => existsSync(join(one, 'lib/modules')));
  if (base === undefined) return undefined;
  const modules = join(base, 'lib/modules');
  const [version] = readdirSync(modules);
  if (version === undefined) return undefined;
  const plain = join(folder, PLAIN);
  const image = existsSync(plain) ? plain : join(folder, `boot/vmlinuz-${version}`);
  return { version, image, base, modules };
}

/**
 * The kernel without its compression, which the machine would undo itself, four seconds at every boot.
 * A kernel that is not packed in this way (Documentation/x86/boot, payload) is used as it is.
 */
function unpackImage(made: Kernel, folder: string): void {
  const image = readFileSync(made.image);
  const from = image.indexOf(XZ_MAGIC);
  if (from < 0) return;
  const { status, stdout } = spawnSync('xz', ['-dc', '--single-stream'], {
    input: image.subarray(from),
    maxBuffer: 512 << 20,
  });
  if (status === 0 && stdout.indexOf(ELF_MAGIC) === 0) writeFileSync(join(folder, PLAIN), stdout);
}

/** The folder gets its name only when it is complete, so that a killed run leaves no half of it. */
function unpackKernel(cache: Cache, ci: boolean): Kernel {
  const known = kernelIn(cache.kernel);
  if (known !== undefined) return known;
  mkdirSync(cache.download, { recursive: true });
  if (ci) run(['apt-get', 'update', '-q']);
  const name = kernelPackage();
  process.stderr.write(`lab: downloading ${name}\n`);
  run(['apt-get', 'download', '-q', '-o', 'APT::Sandbox::User=root', name], cache.download);
  const file = readdirSync(cache.download).find((one) => one.startsWith(`${name}_`));
  if (file === undefined) throw new Error(`apt-get downloaded no ${name}`);
  const half = `${cache.kernel}.half`;
  rmSync(half, { recursive: true, force: true });
  run(['dpkg', '-x', join(cache.download, file), half]);
  const made = kernelIn(half);
  if (made === undefined) throw new Error(`${name} holds no kernel`);
  run(['depmod', '-b', made.base, made.version]);
  unpackImage(made, half);
  renameSync(half, cache.kernel);
  rmSync(join(cache.download, file), { force: true });
  return unpackKernel(cache, false);
}

/** True when KVM really runs a machine: on some hosts the device is there and does not work. */
function kvmWorks(image: string): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return false;
  }
  // With no initramfs the kernel panics and -no-reboot ends QEMU; without a working KVM it never gets there.
  const { status, stdout } = spawnSync(
    'qemu-system-x86_64',
    [
      ...['-machine', 'q35,accel=kvm', '-cpu', 'host', '-m', '256', '-nodefaults', '-no-reboot'],
      ...['-display', 'none', '-serial', 'stdio', '-kernel', image],
      ...['-append', 'console=ttyS0 panic=-1'],
    ],
    { timeout: 10_000, killSignal: 'SIGKILL', encoding: 'utf8' },
  );
  return status === 0 && /Linux version/u.test(stdout);
}

function debian(): boolean {
  return existsSync('/etc/debian_version') && onPath('apt-get');
}

export function prepare(cache: Cache): Prepared {
  const ci = process.env.CI === 'true';
  const skip = (why: string): Prepared => {
    if (ci) throw new Error(`the lab cannot run here: ${why}`);
    return { kind: 'skip', why };
  };
  if (process.getuid?.() !== 0) return skip('it must be run as root');
  if (!debian()) return skip('it needs a Debian host');
  if (process.arch !== 'x64') return skip('it needs an amd64 host');
  const missing = NEEDED.filter(([program]) => !onPath(program)).map(([, name]) => name);
  if (missing.length > 0 && ci) install(missing);
  else if (missing.length > 0) return skip(`install ${missing.join(' ')}`);
  mkdirSync(cache.folder, { recursive: true });
  const kernel = unpackKernel(cache, ci);
  return { kind: 'ready', kernel, accel: kvmWorks(kernel.image) ? 'kvm' : 'tcg' };
}

/** Modules in loading order with all they need, without those built into the kernel. */
export function modulesFor(kernel: Kernel, names: readonly string[]): readonly string[] {
  const found: string[] = [];
  for (const name of names) {
    const show = ['-S', kernel.version, '--show-depends', name];
    const text = run(['modprobe', '-d', kernel.base, ...show]);
    for (const [, path = ''] of text.matchAll(/^insmod (\S+)/gmu)) {
      if (!found.includes(path)) found.push(path);
    }
  }
  return found;
}
