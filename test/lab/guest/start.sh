#!/bin/sh
# Second program of a lab machine, in its root: mounts what a running system has, starts udev, and hands
# over to the guest's end of the channel. When that ends, the machine is switched off. Where systemd is to be
# the first process it gets two units, D-Bus and that end of the channel, and nothing else of this host's.
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
    lab.init=*) init=${word#lab.init=} ;;
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
if [ "$init" = systemd ]; then
  mkdir -p /run/systemd/system /run/dbus
  # Without an identity systemd takes it for a first boot and enables all units there are.
  [ -s /etc/machine-id ] || tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
  cd /run/systemd/system || exit 1
  cat >lab.target <<END
[Unit]
DefaultDependencies=no
Requires=dbus.socket dbus.service lab.service
AllowIsolate=yes
END
  cat >dbus.socket <<END
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/dbus/system_bus_socket
END
  cat >dbus.service <<END
[Unit]
DefaultDependencies=no
Requires=dbus.socket
After=dbus.socket
[Service]
Type=notify
ExecStart=@/usr/bin/dbus-daemon dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation
END
  cat >lab.service <<END
[Unit]
DefaultDependencies=no
After=dbus.service
[Service]
ExecStart="$node" "$agent"
ExecStopPost=/bin/sh -c 'echo o >/proc/sysrq-trigger'
END
  cd /
  exec /lib/systemd/systemd
fi
"$node" "$agent"
echo o >/proc/sysrq-trigger
sleep 5
