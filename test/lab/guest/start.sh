#!/bin/sh
# Second program of a lab machine, in its root: mounts what a running system has, starts udev, and hands
# over to the guest's end of the channel. When that ends, the machine is switched off.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tracefs tracefs /sys/kernel/tracing
for word in $(cat /proc/cmdline); do
  case $word in
    lab.name=*) hostname "${word#lab.name=}" ;;
    lab.modules=*) modules=${word#lab.modules=} ;;
    lab.root=*) root=${word#lab.root=} ;;
    lab.node=*) node=${word#lab.node=} ;;
    lab.agent=*) agent=${word#lab.agent=} ;;
  esac
done
mkdir -p /lib/modules /run/lock /run/lab /run/udev/rules.d
# Cards keep the names of the topology; a root that came from a container does not make this one.
ln -s /dev/null /run/udev/rules.d/80-net-setup-link.rules
rm -f /.dockerenv
mount --bind "$modules" /lib/modules
ip link set lo up
# Node, the build and its packages, from the disk image instead of through 9p.
mkdir -p /mnt/programs
mount -t ext4 -o ro,noatime /dev/vda /mnt/programs
mount --bind /mnt/programs/dist "$root/dist"
mount --bind /mnt/programs/node_modules "$root/node_modules"
mount --bind /mnt/programs/node "$node"
/lib/systemd/systemd-udevd --daemon
"$node" "$agent"
echo o >/proc/sysrq-trigger
sleep 5
