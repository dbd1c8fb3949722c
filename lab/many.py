"""Many hosts in one: an sshd with many addresses, each leading into files of its own.

    with many(host, 100) as addresses:
        ...  # root@addresses[0]:PORT and so on, with the lab's key and the host's host key

Behind each address the folders that a push of owned files writes are its own; Docker and systemd are the
host's. So it serves for owned files, not for containers: `docker compose` does nothing there, or a rollback
behind one address would take the host's own containers down.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.hosts import Host

PORT = 3000
NETWORK, FIRST = "10.99.0", 101  # the last part of the first address
FOLDER = "/run/lab-many"
UNIT = "lab-many.service"
OWN = ("/var/lib/tempo-infra", "/etc/sysctl.d", "/etc/tmpfiles.d", "/etc/security", "/etc/systemd/system")

# A mount namespace an address, kept by a bind mount; sshd enters the one of the address it was reached by.
# A kernel that numbers namespaces in batches a CPU may give a new one a lower number than the host's own, and
# then refuses the bind mount: on another CPU it gets a higher one.
MAKE = f"""
set -eu
mkdir -p {FOLDER} {" ".join(OWN)}
mount -t tmpfs none {FOLDER}
mount --make-private {FOLDER}
cat > {FOLDER}/enter <<'END'
#!/bin/sh
set -- $SSH_CONNECTION
exec nsenter --mount={FOLDER}/"$3" -- sh -c "$SSH_ORIGINAL_COMMAND"
END
cat > {FOLDER}/docker-for-reading <<'END'
#!/bin/sh
case "$*" in *compose*" up "*|*compose*" down "*) exit 0 ;; esac
exec {FOLDER}/docker "$@"
END
chmod 755 {FOLDER}/enter {FOLDER}/docker-for-reading
cp /usr/bin/docker {FOLDER}/docker
for address in $ADDRESSES; do
  touch {FOLDER}/$address
  made=
  for cpu in $(seq 0 $(($(nproc --all) - 1))); do
    if taskset -c $cpu unshare --mount={FOLDER}/$address sh -c '
    for own in {" ".join(OWN)}; do mount -t tmpfs none $own; done
    mkdir /etc/security/limits.d /etc/systemd/system/multi-user.target.d
    mount --bind {FOLDER}/docker-for-reading /usr/bin/docker'; then made=yes; break; fi
  done
  [ -n "$made" ]
  ip address add $address/32 dev eth0
done
cat > {FOLDER}/config <<END
Include /etc/ssh/sshd_config.d/*.conf
Port {PORT}
Subsystem sftp /usr/lib/openssh/sftp-server
UsePAM no
PidFile none
MaxStartups $STARTUPS
ForceCommand {FOLDER}/enter
$MORE
END
systemd-run --quiet --collect --unit={UNIT} /usr/sbin/sshd -D -f {FOLDER}/config
for try in $(seq 100); do
  ss -Hltn "sport = :{PORT}" | grep -q . && exit 0
  sleep 0.1
done
exit 1
"""
TAKE_AWAY = f"""
systemctl stop {UNIT} 2>/dev/null
for mount in {FOLDER}/10.*; do
  umount $mount
  ip address del ${{mount##*/}}/32 dev eth0
done
umount {FOLDER}; rmdir {FOLDER}
"""


@contextmanager
def many(host: Host, count: int, *, max_startups: str = "10:30:100", more: str = "") -> Iterator[list[str]]:
    """Yield the addresses; `max_startups` is sshd's for all together, `more` goes into its configuration."""
    addresses = [f"{NETWORK}.{FIRST + number}" for number in range(count)]
    host.exec(["sh", "-c", TAKE_AWAY])  # of a run that was killed
    variables = [f"ADDRESSES={' '.join(addresses)}", f"STARTUPS={max_startups}", f"MORE={more}"]
    host.must(["env", *variables, "sh", "-c", MAKE], timeout=120)
    try:
        yield addresses
    finally:
        host.exec(["sh", "-c", TAKE_AWAY], timeout=120)
