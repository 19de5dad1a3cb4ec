#!/bin/sh
# First program of a lab machine, in its initramfs (busybox). It makes the host's root, seen read-only
# by 9p, into a root that can be written: all writes go to memory and are gone with the machine.
# MODULES, in the file /modules, is the list of kernel modules in loading order.
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/lib/$module"; done </modules
mkdir -p /host /memory /root
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose root /host
mount -t tmpfs -o mode=0755 memory /memory
mkdir -p /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work root /root
for word in $(cat /proc/cmdline); do
  case $word in lab.start=*) start=${word#lab.start=} ;; esac
done
umount /sys /proc
exec switch_root /root /bin/sh "$start"
