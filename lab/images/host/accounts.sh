#!/bin/sh
# One account for every kind of login that a VPS may offer. All accept the lab's key; the password is "lab".
set -eu
for name in deploy ops opspw plain reqtty noisy locked dash nologin expired; do
    useradd -m -s /bin/bash "$name"
    echo "$name:lab" | chpasswd
done

cat > /etc/sudoers.d/lab <<'RULES'
deploy ALL=(ALL) NOPASSWD:ALL
ops    ALL=(ALL) NOPASSWD:ALL
noisy  ALL=(ALL) NOPASSWD:ALL
dash   ALL=(ALL) NOPASSWD:ALL
opspw  ALL=(ALL) ALL
reqtty ALL=(ALL) NOPASSWD:ALL
Defaults:reqtty requiretty
RULES
chmod 440 /etc/sudoers.d/lab

gpasswd -a ops docker > /dev/null                        # ops: docker without sudo
echo 'echo "Welcome to Noisy VPS! Last backup: never."' > /home/noisy/.bashrc # also for commands over ssh
usermod -L -e 1 locked                            # locked: account expired, password locked
chsh -s /bin/sh dash                              # dash: a login shell that is not bash
usermod -s /usr/sbin/nologin nologin
chage -d 0 expired                                # expired: the password must be changed first
