/**
 * One machine: QEMU, its monitor and the channel into it. What hardware it has comes as QEMU's own
 * arguments; this file knows only what every machine has. The machine's root is this host's root, seen
 * read-only, with writes kept in its memory.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DATA, DIST, ROOT } from '../host/files.ts';
import type { Kernel } from '../host/prepare.ts';
import type { RunFolder } from '../host/run-folder.ts';
import { type Guest, openChannel } from './channel.ts';
import { openQmp, type Qmp } from './qmp.ts';

const CONNECT_MS = 10_000;
/** A hang bound: a machine is up within 10 s on an idle host. */
const UP_MS = 120_000;

export interface Host {
  readonly kernel: Kernel;
  readonly accel: 'kvm' | 'tcg';
  readonly initramfs: string;
  /** Disk image with Node, the build and its packages. */
  readonly image: string;
  readonly run: RunFolder;
}

export interface VmSpec {
  readonly name: string;
  readonly memoryMb: number;
  /** systemd is its first process, and runs the lab's end of the channel. */
  readonly systemd: boolean;
  /** Arguments for QEMU beyond what every machine has. */
  readonly hardware: readonly string[];
}

export interface Vm {
  readonly name: string;
  readonly guest: Guest;
  /** Resolves when its system has spoken. */
  readonly up: () => Promise<void>;
  readonly qmp: Qmp;
  /** What its kernel and system printed. */
  readonly consoleLog: () => string;
  readonly ended: Promise<void>;
  /** Power cut: QEMU is killed. */
  readonly cutPower: () => void;
}

function argvOf(
  { kernel, accel, initramfs, image, run }: Host,
  spec: VmSpec,
): [string, ...string[]] {
  const words = [
    'console=ttyS0 quiet loglevel=4 mitigations=off panic=-1 net.ifnames=0 nokaslr',
    `lab.name=${spec.name}`,
    `lab.start=${join(DATA, 'guest/start.sh')}`,
    `lab.modules=${kernel.modules}`,
    `lab.root=${ROOT}`,
    `lab.node=${process.execPath}`,
    `lab.agent=${join(DIST, 'test/lab/guest/agent.js')}`,
  ];
  if (spec.systemd) {
    words.push(`lab.init=systemd systemd.unit=lab.target systemd.hostname=${spec.name}`);
    words.push('systemd.show_status=false systemd.log_target=kmsg systemd.log_level=warning');
  }
  const engine = accel === 'kvm' ? ['-accel', 'kvm'] : ['-accel', 'tcg,thread=multi'];
  const at = (name: string): string => run.file(`${spec.name}.${name}`);
  return [
    'qemu-system-x86_64',
    ...['-name', spec.name, '-machine', 'q35', ...engine],
    ...['-cpu', accel === 'kvm' ? 'host' : 'Nehalem', '-smp', '2', '-m', String(spec.memoryMb)],
    ...['-nodefaults', '-display', 'none', '-no-reboot'],
    ...['-kernel', kernel.image, '-initrd', initramfs, '-append', words.join(' ')],
    '-fsdev',
    'local,id=root,path=/,security_model=none,readonly=on,multidevs=remap',
    ...['-device', 'virtio-9p-pci,fsdev=root,mount_tag=root'],
    '-blockdev',
    `driver=file,node-name=programs,filename=${image},read-only=on`,
    ...['-device', 'virtio-blk-pci,drive=programs'],
    ...['-serial', `file:${at('console')}`],
    ...['-qmp', `unix:${at('qmp')},server=on,wait=off`],
    ...['-chardev', `socket,id=lab,path=${at('lab')},server=on,wait=off`],
    ...['-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=lab,name=lab'],
    ...spec.hardware,
  ];
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

/** `onStart` is given the machine as soon as its process runs, long before its system does. */
export async function startVm(host: Host, spec: VmSpec, onStart: (vm: Vm) => void): Promise<Vm> {
  const { run } = host;
  // Sockets of an earlier life would be taken for this one's.
  for (const name of ['qmp', 'lab']) rmSync(run.file(`${spec.name}.${name}`), { force: true });
  const child = run.spawn(argvOf(host, spec), `${spec.name}.qemu`);
  const ended = endOf(child);
  const log = (name: string): string => {
    try {
      return readFileSync(run.file(`${spec.name}.${name}`), 'utf8');
    } catch {
      return '';
    }
  };
  const quit = ended.then(() => {
    throw new Error(
      `${spec.name} ended: ${log('qemu').slice(-500)}${log('console').slice(-1_500)}`,
    );
  });
  // It is looked at below only while the machine starts.
  quit.catch(() => undefined);
  const opened = Promise.all([
    openQmp(run.file(`${spec.name}.qmp`), CONNECT_MS),
    openChannel(spec.name, run.file(`${spec.name}.lab`), CONNECT_MS),
  ]);
  const cutPower = (): void => void child.kill('SIGKILL');
  try {
    const [qmp, guest] = await Promise.race([opened, quit]);
    const vm: Vm = {
      name: spec.name,
      guest,
      qmp,
      ended,
      consoleLog: () => log('console'),
      cutPower,
      up: () => Promise.race([guest.up(UP_MS), quit]),
    };
    onStart(vm);
    return vm;
  } catch (error) {
    cutPower();
    throw error;
  }
}
