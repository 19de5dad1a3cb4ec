/**
 * Opens what the given wakes need from the kernel: netlink sockets, /dev/kmsg and the eventfd that ends
 * the wake thread. Runs on the main thread, which keeps the descriptors: when the wake thread dies,
 * events queue in the sockets and its successor finds them. What cannot be opened is told, and the rest
 * goes on: its sources are still read at their periods.
 */
import { closeSync, constants as fs, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import type { Wake } from '../../collectors/lib/collector.ts';
import type { Roots } from '../../rules/config.ts';
import {
  AF_NETLINK,
  EFD_CLOEXEC_NONBLOCK,
  type Libc,
  NETLINK_KOBJECT_UEVENT,
  NETLINK_ROUTE,
  SEEK_END,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SOCK_RAW_CLOEXEC_NONBLOCK,
  SOCKADDR_NL_BYTES,
  SOL_SOCKET,
} from './libc.ts';
import { errorName, type KernelFds } from './message.ts';

/**
 * Room for events while the wake thread cannot run; memory is used only while they wait. A guess: a
 * storage failover of 1,000 paths sends some 5,000 uevents of about 2 KiB with the kernel's overhead.
 */
const SOCKET_BUFFER_BYTES = 16 * 1024 * 1024;
/** Multicast group of the kernel's own uevents; udev's is 2. */
const UEVENT_GROUP_KERNEL = 1;
const RTMGRP_LINK = 0x1;
const RTMGRP_IPV4_ROUTE = 0x40;
const RTMGRP_IPV6_ROUTE = 0x400;
/** makedev(1, 11). Containers put /dev/null or a console in its place, which must not be read. */
const KMSG_DEVICE = 0x10b;

type Tell = (why: string) => void;

function failure(libc: Libc, call: string): string {
  const errno = libc.errno();
  return `${call}: ${errno > 0 ? getSystemErrorName(-errno) : 'failed'}`;
}

function widenBuffer(libc: Libc, fd: number, name: string, tell: Tell): void {
  const bytes = Int32Array.of(SOCKET_BUFFER_BYTES);
  const set = (option: number): boolean =>
    libc.setsockopt(fd, SOL_SOCKET, option, bytes, bytes.byteLength) === 0;
  if (set(SO_RCVBUFFORCE)) return;
  const why = failure(libc, 'SO_RCVBUFFORCE');
  set(SO_RCVBUF);
  tell(
    `the ${name} socket has a small buffer (${why}): give CAP_NET_ADMIN, or bursts cost a full re-read`,
  );
}

function openNetlink(
  libc: Libc,
  name: string,
  protocol: number,
  groups: number,
  tell: Tell,
): number | undefined {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC_NONBLOCK, protocol);
  if (fd < 0) {
    tell(`no ${name} events (${failure(libc, 'socket')}): their sources are read at their periods`);
    return undefined;
  }
  widenBuffer(libc, fd, name, tell);
  const address = new DataView(new ArrayBuffer(SOCKADDR_NL_BYTES));
  new Uint16Array(address.buffer, 0, 1)[0] = AF_NETLINK;
  new Uint32Array(address.buffer, 8, 1)[0] = groups;
  if (libc.bind(fd, address, SOCKADDR_NL_BYTES) === 0) return fd;
  tell(`no ${name} events (${failure(libc, 'bind')}): their sources are read at their periods`);
  closeSync(fd);
  return undefined;
}

function openKmsg(libc: Libc, dev: string, tell: Tell): number | undefined {
  const path = join(dev, 'kmsg');
  let fd: number | undefined;
  const refuse = (why: string): undefined => {
    if (fd !== undefined) closeSync(fd);
    tell(`no wakes from ${path} (${why}): kernel messages are read at their period`);
  };
  try {
    fd = openSync(path, fs.O_RDONLY | fs.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice() || stat.rdev !== KMSG_DEVICE) {
      return refuse('it is not the kernel log device');
    }
  } catch (error) {
    return refuse(errorName(error));
  }
  // A new reader starts at the oldest record; only what comes from now on wakes.
  return libc.lseek(fd, 0, SEEK_END) < 0 ? refuse(failure(libc, 'lseek')) : fd;
}

function routeGroups(wakes: readonly Wake[]): number {
  let groups = 0;
  for (const wake of wakes) {
    if (wake.on !== 'netlink') continue;
    groups |= wake.about === 'link' ? RTMGRP_LINK : RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  }
  return groups;
}

/** Descriptors for the wakes; undefined when not even the eventfd is to be had. */
export function openDescriptors(
  libc: Libc,
  roots: Roots,
  wakes: readonly Wake[],
  tell: Tell,
): KernelFds | undefined {
  const stop = libc.eventfd(0, EFD_CLOEXEC_NONBLOCK);
  if (stop < 0) {
    tell(`no kernel wakes (${failure(libc, 'eventfd')})`);
    return undefined;
  }
  const wants = (on: Wake['on']): boolean => wakes.some((wake) => wake.on === on);
  const groups = routeGroups(wakes);
  return {
    stop,
    // Watched files come and go with their devices, which only uevents tell.
    uevent:
      wants('uevent') || wants('pollpri')
        ? openNetlink(libc, 'uevent', NETLINK_KOBJECT_UEVENT, UEVENT_GROUP_KERNEL, tell)
        : undefined,
    route: groups === 0 ? undefined : openNetlink(libc, 'rtnetlink', NETLINK_ROUTE, groups, tell),
    kmsg: wants('kmsg') ? openKmsg(libc, roots.dev, tell) : undefined,
  };
}

/** Closes them. Only when no wake thread can be using them: a number may be given out again at once. */
export function closeDescriptors(fds: KernelFds): void {
  for (const fd of [fds.stop, fds.uevent, fds.route, fds.kmsg]) {
    if (fd !== undefined) closeSync(fd);
  }
}
