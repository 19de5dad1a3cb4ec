/**
 * The devices of a made-up machine, each as its driver shows it in sysfs. Only what nospof or
 * node_exporter reads is written, and every device is well.
 */
import type { Attributes, Writer } from './tree-writer.ts';

const PER_CHIP = { temps: 4, volts: 3, fans: 1 } as const;
export const SENSORS_PER_CHIP: number = PER_CHIP.temps + PER_CHIP.volts + PER_CHIP.fans;
const PORTS_PER_CARD = 2;

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0');
}

function pciFunction(slot: number, port: number): string {
  return `0000:${hex(0x10 + (slot >> 5), 2)}:${hex(slot & 0x1f, 2)}.${port}`;
}

/** A super-I/O chip: four temperatures, three voltages, a fan with its pulse width. */
export function chip(writer: Writer, index: number, sensors: number): void {
  const device = `sys/devices/platform/nct6775.${0x290 + index}`;
  const folder = `${device}/hwmon/hwmon${index}`;
  writer.link(`sys/class/hwmon/hwmon${index}`, folder);
  writer.link(`${folder}/device`, device);
  writer.file(`${folder}/name`, 'nct6798');
  let room = sensors;
  for (let number = 1; number <= PER_CHIP.temps && room > 0; number += 1, room -= 1) {
    writer.value(`${folder}/temp${number}_input`, 30_000 + 10 * number, 900);
    writer.folder(folder, {
      [`temp${number}_max`]: 80_000,
      [`temp${number}_crit`]: 95_000,
      [`temp${number}_crit_alarm`]: 0,
      [`temp${number}_label`]: `CPU${index} zone ${number}`,
    });
  }
  for (let number = 0; number < PER_CHIP.volts && room > 0; number += 1, room -= 1) {
    writer.value(`${folder}/in${number}_input`, 1_100 + 10 * number, 90);
    writer.folder(folder, {
      [`in${number}_min`]: 1_000,
      [`in${number}_max`]: 1_400,
      [`in${number}_alarm`]: 0,
      [`in${number}_label`]: `VRM${index} ${number}`,
    });
  }
  if (room <= 0) return;
  writer.value(`${folder}/fan1_input`, 4_000, 900);
  writer.folder(folder, { fan1_min: 500, fan1_alarm: 0, fan1_label: `Fan ${index}` });
  writer.folder(folder, { pwm1: 120, pwm1_enable: 2 });
}

function uevent(name: string, index: number, type?: string): string {
  return `${type === undefined ? '' : `DEVTYPE=${type}\n`}INTERFACE=${name}\nIFINDEX=${index}`;
}

function linkFiles(index: number): Attributes {
  return {
    addr_assign_type: 0,
    addr_len: 6,
    address: `02:00:00:00:${hex(index >> 8, 2)}:${hex(index & 0xff, 2)}`,
    broadcast: 'ff:ff:ff:ff:ff:ff',
    carrier: 1,
    carrier_changes: 2,
    carrier_down_count: 1,
    carrier_up_count: 1,
    dev_id: '0x0',
    dev_port: 0,
    dormant: 0,
    duplex: 'full',
    flags: '0x1003',
    ifalias: '',
    ifindex: index,
    iflink: index,
    link_mode: 0,
    mtu: 1500,
    name_assign_type: 4,
    netdev_group: 0,
    operstate: 'up',
    speed: 10_000,
    tx_queue_len: 1000,
    type: 1,
  };
}

/** Ports of two-port cards; the first two are slaves of a bond across two cards when there are four. */
export function links(writer: Writer, count: number): void {
  const bonded = count >= 4 ? ['eth0', 'eth2'] : [];
  for (let index = 0; index < count; index += 1) {
    const name = `eth${index}`;
    const port = pciFunction(Math.floor(index / PORTS_PER_CARD), index % PORTS_PER_CARD);
    const device = `sys/devices/pci0000:00/0000:00:01.0/${port}`;
    const folder = `${device}/net/${name}`;
    writer.link(`sys/class/net/${name}`, folder);
    writer.link(`${folder}/device`, device);
    writer.folder(folder, { ...linkFiles(index + 2), uevent: uevent(name, index + 2) });
    if (!bonded.includes(name)) continue;
    writer.link(`${folder}/master`, 'sys/devices/virtual/net/bond0');
    writer.folder(`${folder}/bonding_slave`, {
      state: name === 'eth0' ? 'active' : 'backup',
      mii_status: 'up',
      link_failure_count: 0,
      perm_hwaddr: `02:00:00:00:00:${hex(index + 2, 2)}`,
    });
  }
  writer.file('sys/class/net/bonding_masters', bonded.length > 0 ? 'bond0' : '');
  if (bonded.length === 0) return;
  const bond = 'sys/devices/virtual/net/bond0';
  const index = count + 2;
  writer.link('sys/class/net/bond0', bond);
  writer.folder(bond, { ...linkFiles(index), uevent: uevent('bond0', index, 'bond') });
  writer.folder(`${bond}/bonding`, {
    mode: 'active-backup 1',
    mii_status: 'up',
    miimon: 100,
    min_links: 0,
    slaves: bonded.join(' '),
  });
  for (const name of bonded) writer.link(`${bond}/lower_${name}`, `sys/class/net/${name}`);
}

/** `sda`, `sdb`, ..., `sdaa`: as the kernel counts. */
function diskName(index: number): string {
  const letter = String.fromCharCode(0x61 + (index % 26));
  return index < 26
    ? `sd${letter}`
    : `sd${String.fromCharCode(0x60 + Math.floor(index / 26))}${letter}`;
}

/** Mirrors of two disks each, on two ports of one controller. */
export function arrays(writer: Writer, count: number): void {
  const lines = ['Personalities : [raid1]'];
  for (let array = 0; array < count; array += 1) {
    const folder = `sys/devices/virtual/block/md${array}`;
    writer.link(`sys/block/md${array}`, folder);
    writer.file(`${folder}/dev`, `9:${array}`);
    writer.folder(`${folder}/md`, {
      array_state: 'clean',
      consistency_policy: 'resync',
      degraded: 0,
      layout: 0,
      level: 'raid1',
      metadata_version: '1.2',
      mismatch_cnt: 0,
      raid_disks: 2,
      sync_action: 'idle',
      sync_completed: 'none',
      uuid: `6f2b8c1d-0a3e-4d57-9b61-${hex(array, 12)}`,
    });
    const names = [diskName(2 * array), diskName(2 * array + 1)];
    for (const [slot, name] of names.entries()) {
      const host = 2 * array + slot;
      const place = `ata${host + 1}/host${host}/target${host}:0:0/${host}:0:0:0`;
      const disk = `sys/devices/pci0000:00/0000:00:1f.2/${place}/block/${name}`;
      writer.link(`sys/block/${name}`, disk);
      writer.folder(disk, { dev: `8:${16 * host}`, size: 1_953_525_168 });
      const member = `${folder}/md/dev-${name}`;
      writer.folder(member, { state: 'in_sync', errors: 0, slot });
      writer.link(`${member}/block`, disk);
    }
    lines.push(`md${array} : active raid1 ${names[1]}[1] ${names[0]}[0]`);
    lines.push('      976630464 blocks super 1.2 [2/2] [UU]', '      ');
  }
  writer.file('proc/mdstat', [...lines, 'unused devices: <none>'].join('\n'));
}

export function supplies(writer: Writer): void {
  for (const name of ['AC0', 'AC1']) {
    const folder = `sys/devices/LNXSYSTM:00/LNXSYBUS:00/${name}/power_supply/${name}`;
    writer.link(`sys/class/power_supply/${name}`, folder);
    writer.folder(folder, { type: 'Mains', online: 1 });
  }
}

export function zones(writer: Writer, count: number): void {
  for (let zone = 0; zone < count; zone += 1) {
    const folder = `sys/devices/virtual/thermal/thermal_zone${zone}`;
    writer.link(`sys/class/thermal/thermal_zone${zone}`, folder);
    writer.value(`${folder}/temp`, 40_000, 900);
    writer.folder(folder, {
      type: 'x86_pkg_temp',
      mode: 'enabled',
      policy: 'step_wise',
      trip_point_0_type: 'critical',
      trip_point_0_temp: 100_000,
    });
  }
}

function aer(worst: string): string {
  return `Undefined 0\nTOTAL_ERR_${worst} 0`;
}

/** The functions of the cards, two memory modules, pressure, and what the kernel says of itself. */
export function kernel(writer: Writer, linkCount: number): void {
  for (let index = 0; index < linkCount; index += 1) {
    const port = pciFunction(Math.floor(index / PORTS_PER_CARD), index % PORTS_PER_CARD);
    const device = `sys/devices/pci0000:00/0000:00:01.0/${port}`;
    writer.link(`sys/bus/pci/devices/${port}`, device);
    writer.folder(device, {
      class: '0x020000',
      aer_dev_correctable: aer('COR'),
      aer_dev_nonfatal: aer('NONFATAL'),
      aer_dev_fatal: aer('FATAL'),
      current_link_speed: '8.0 GT/s PCIe',
      current_link_width: 8,
      max_link_speed: '8.0 GT/s PCIe',
      max_link_width: 8,
    });
  }
  const counts = { ce_count: 0, ue_count: 0, ce_noinfo_count: 0, ue_noinfo_count: 0 };
  const memory = 'sys/devices/system/edac/mc/mc0';
  writer.folder(memory, { mc_name: 'Skylake Socket#0', ...counts });
  for (const dimm of ['dimm0', 'dimm1']) {
    const own = { dimm_ce_count: 0, dimm_ue_count: 0, dimm_label: dimm, dimm_location: '0 0' };
    writer.folder(`${memory}/${dimm}`, own);
  }
  const pressure = ['some', 'full'].map(
    (who) => `${who} avg10=0.00 avg60=0.00 avg300=0.00 total=0`,
  );
  for (const of of ['cpu', 'io', 'memory']) writer.file(`proc/pressure/${of}`, pressure.join('\n'));
  writer.folder('sys/kernel', { oops_count: 0, warn_count: 0 });
  writer.folder('proc/sys/kernel', {
    tainted: 0,
    panic: 10,
    panic_on_oops: 1,
    oops_limit: 10_000,
    hung_task_panic: 0,
    hung_task_timeout_secs: 120,
    hung_task_detect_count: 0,
    softlockup_panic: 0,
    hardlockup_panic: 1,
  });
}
