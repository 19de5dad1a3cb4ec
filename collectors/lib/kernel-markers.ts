/**
 * What to look for in the kernel's log: one pattern per class of fault, taken from the format strings
 * of the kernel's own messages. It decides which records are one event of a class and how bad that is;
 * counting and wording are the log source's. Patterns match the head of an event only, so that the
 * twenty lines of one machine check count once. Classes without a health are counted and no more:
 * whether corrected errors are too many is the operator's limit, not ours.
 *
 * Left out: NFS and audit, which the kernel logs as notices (level 5), below what is read; thermal
 * throttling and panics, which other sources see.
 */

export interface Marker {
  /** Gauge key is `CLASS_total`. */
  readonly name: string;
  readonly words: string;
  readonly health?: 'failing' | 'failed';
  readonly pattern: RegExp;
}

/** In order of judgement: a record belongs to the first class that it matches. */
export const MARKERS: readonly Marker[] = [
  {
    name: 'oopses',
    words: 'kernel oops',
    health: 'failed',
    // arch/*/kernel/traps.c die(): "Oops: 0002 [#1] SMP", "invalid opcode: 0000 [#1]", "Internal error: Oops: ..."
    pattern: /\bOops: |: [0-9a-f]{4,16} \[#\d+\]/u,
  },
  {
    name: 'filesystem_errors',
    words: 'filesystem taken out of service',
    health: 'failed',
    // fs/ext4/super.c, fs/xfs/xfs_fsops.c, fs/btrfs/messages.c
    pattern: /Remounting filesystem read-only|Filesystem has been shut down|forced readonly/u,
  },
  {
    name: 'lockups',
    words: 'processor lockup',
    health: 'failing',
    // kernel/watchdog.c, kernel/workqueue.c, kernel/rcu/tree_stall.h
    pattern:
      /BUG: soft lockup|hard LOCKUP|BUG: workqueue lockup|self-detected stall|detected stalls on/u,
  },
  {
    name: 'bugs',
    words: 'kernel bug',
    health: 'failing',
    pattern: /^(?:\S+: )?BUG: |^kernel BUG at |^general protection fault/u,
  },
  {
    name: 'hung_tasks',
    words: 'hung task',
    health: 'failing',
    // kernel/hung_task.c
    pattern: /^INFO: task .* blocked (?:in I\/O wait )?for more than \d+ seconds/u,
  },
  {
    name: 'memory_uncorrected',
    words: 'uncorrected memory error',
    health: 'failing',
    // drivers/edac/edac_mc.c: "EDAC MC0: 1 UE memory read error on ..."; mm/memory-failure.c
    pattern: /^EDAC \S+ \d+ UE |^Memory failure: 0x/u,
  },
  {
    name: 'memory_corrected',
    words: 'corrected memory error',
    pattern: /^EDAC \S+ \d+ CE /u,
  },
  {
    name: 'machine_checks_corrected',
    words: 'corrected hardware error',
    pattern: /\[Hardware Error\]:.*(?:Corrected error|event severity: corrected)/u,
  },
  {
    name: 'machine_checks',
    words: 'machine check',
    health: 'failing',
    // arch/x86/kernel/cpu/mce, drivers/edac/mce_amd.c, drivers/acpi/apei/ghes.c
    pattern: /\[Hardware Error\]:.*(?:Machine [Cc]heck|event severity|Uncorrected|Deferred error)/u,
  },
  {
    name: 'pcie_corrected',
    words: 'corrected PCIe error',
    // drivers/pci/pcie/aer.c
    pattern: /\bAER: (?:Multiple )?Correct(?:ed|able) error/u,
  },
  {
    name: 'pcie_uncorrected',
    words: 'uncorrected PCIe error',
    health: 'failing',
    pattern: /\bAER: (?:Multiple )?Uncorrect(?:ed|able) |\bDPC: containment event/u,
  },
  {
    name: 'disk_failures',
    words: 'disk failure',
    health: 'failing',
    // drivers/md/raid*.c; drivers/nvme/host/pci.c; drivers/ata/libata-eh.c; drivers/scsi/scsi_error.c
    pattern:
      /\bDisk failure on |^nvme \S+: (?:controller is down|Removing after|Disabling device)|^ata\d\S*: disable|Device offlined/u,
  },
  {
    name: 'path_failures',
    words: 'path failure',
    health: 'failing',
    // drivers/md/dm-mpath.c: "device-mapper: multipath: 253:0: Failing path 8:16."
    pattern: /multipath: .*Failing path /u,
  },
  {
    name: 'io_errors',
    words: 'I/O error',
    health: 'failing',
    // block/blk-core.c blk_errors[]; fs/buffer.c. Empty floppy and optical drives always err: left out.
    pattern:
      /\b(?:I\/O|timeout|recoverable transport|critical medium|critical target|protection) error, dev (?!fd\d|sr\d)|Buffer I\/O error on dev (?!fd\d|sr\d)|^(?:EXT4|BTRFS|XFS|F2FS)\S* error |^ata\d\S*: exception |^nvme \S+: I\/O .*timeout/u,
  },
  {
    name: 'network_timeouts',
    words: 'network card timeout',
    health: 'failing',
    // net/sched/sch_generic.c
    pattern: /NETDEV WATCHDOG/u,
  },
  {
    name: 'oom_kills',
    words: 'process killed for want of memory',
    // mm/oom_kill.c
    pattern: /^(?:Memory cgroup out|Out) of memory: Kill/u,
  },
  {
    name: 'warnings',
    words: 'kernel warning',
    // lib/bug.c __warn(); the health source judges warnings by the kernel's own count.
    pattern: /^WARNING: /u,
  },
];
