import fc from 'fast-check'

/**
 * What a packaging script may leave behind, one kind a row: shell lines that try to reach whatever is compiled
 * next. Each may fail (a machine permits less than root may elsewhere) and none fails its own package. `N` is
 * a number of the script.
 */
const leftovers: Readonly<Record<string, string>> = {
  'a daemon that writes into every install directory': `
    (setsid bash -c 'while :; do for d in /var/vcap/packages/*/ /var/vcap/data/packages/*/*/; do echo INJECTED > "$d/injected-N"; done; sleep 0.01; done' > /dev/null 2>&1 < /dev/null &)`,
  'a daemon that changes every source directory': `
    (setsid bash -c 'while :; do for d in /var/vcap/data/compile/*/; do echo "echo INJECTED" >> "$d/extra-N"; done; sleep 0.01; done' > /dev/null 2>&1 &)`,
  'a daemon that no signal ends but the last': `
    (setsid bash -c 'trap "" TERM HUP INT QUIT USR1 USR2; while :; do sleep 100; done' > /dev/null 2>&1 &)`,
  'a process that is stopped': `(sleep 1000 > /dev/null 2>&1 & kill -STOP $!)`,
  'many processes': `for i in $(seq 40); do (setsid sleep 1000 > /dev/null 2>&1 &); done`,
  'tar, wrapped': wrapped('tar', 'for d in /var/vcap/data/packages/*/*/; do echo wrapped > "$d/wrapped-N"; done'),
  'gzip, wrapped': wrapped('gzip', 'for d in /var/vcap/data/packages/*/*/; do echo wrapped > "$d/gzip-N"; done'),
  'ls, replaced': `printf '#!/bin/sh\\necho INJECTED\\n' > /usr/bin/ls; chmod +x /usr/bin/ls`,
  'tools in front of the path': `for d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin; do printf '#!/bin/sh\\necho INJECTED N\\n' > $d/tool-N; chmod 755 $d/tool-N; done`,
  'a cp of its own in /usr/local': `printf '#!/bin/sh\\n/bin/cp "$@"; echo N >> "$2"\\n' > /usr/local/bin/cp; chmod 755 /usr/local/bin/cp`,
  'a shell with setuid': `cp /bin/bash /usr/local/bin/root-N; chmod 4755 /usr/local/bin/root-N`,
  'ld.so.preload': `echo /usr/lib/nothing-N.so > /etc/ld.so.preload`,
  'a library path': `mkdir -p /etc/ld.so.conf.d; echo /tmp/lib-N > /etc/ld.so.conf.d/n-N.conf`,
  'files that shells read': `for f in /etc/profile.d/n-N.sh /etc/bash.bashrc /root/.bashrc /root/.profile /etc/environment; do echo 'export INJECTED=N' >> $f; done`,
  'other users': `echo 'evil-N:x:0:0::/:/bin/sh' >> /etc/passwd; echo 'evil-N:x:4N:' >> /etc/group`,
  'other hosts and names': `echo '127.0.0.N evil' >> /etc/hosts; echo 'nameserver 127.0.0.N' > /etc/resolv.conf; hostname evil-N`,
  'immutable files': `for f in /tmp/still /usr/local/bin/still "$BOSH_INSTALL_TARGET/still"; do echo N > $f; chattr +i $f; done; mkdir -p /var/vcap/data/still/a; chattr +a /var/vcap/data/still`,
  mounts: `mkdir -p /mnt/N; mount -t tmpfs none /mnt/N; mount -t tmpfs none /var/vcap/packages; mount --bind /etc /opt; mount -o remount,ro /tmp`,
  'a namespace with mounts': `(unshare -m sh -c 'mount -t tmpfs none /usr/local; sleep 1000' > /dev/null 2>&1 &)`,
  'links in the place of directories': `rm -rf /var/vcap/jobs; ln -s /etc /var/vcap/jobs; ln -s / /var/vcap/data/root-N; ln -s loop /tmp/loop; rm -rf /usr/local/etc; ln -s /tmp /usr/local/etc`,
  'hard links': `ln /bin/ls /tmp/ls-N; echo INJECTED > /tmp/one; ln /tmp/one /var/vcap/data/two-N; ln /tmp/one /dev/shm/three`,
  modes: `chmod 000 /opt /usr/local/lib; chmod 700 /usr/local /srv; chmod 1777 /etc; chmod 755 /tmp; chmod 4777 /mnt`,
  ownership: `chown -R 4N:5N /srv /usr/local/bin; chown 7N /opt; chown 123 /tmp /var/vcap /etc/hosts`,
  'a packages directory that is gone': `rm -rf /var/vcap/monit /var/vcap/bosh /var/vcap/store`,
  'a socket with a server': `python3 -c 'import socket,time
for name in ("/tmp/s-N", "\\0evil-N", "/run/s-N"):
    s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen(9); globals()[name] = s
t = socket.socket(); t.bind(("127.0.0.1", 7000)); t.listen(9); time.sleep(1000)' > /dev/null 2>&1 &
    for i in $(seq 50); do [ -e /run/s-N ] && break; sleep 0.01; done`,
  'jobs for later': `mkdir -p /etc/cron.d /var/spool/cron/crontabs /etc/init.d /etc/systemd/system; for f in /etc/cron.d/n-N /var/spool/cron/crontabs/root /etc/init.d/n-N /etc/rc.local; do echo '* * * * * root echo INJECTED' > $f; chmod 755 $f; done`,
  'shared memory': `ipcmk -M 64N; ipcmk -S 3; ipcmk -Q; echo N > /dev/shm/n-N; mkdir /dev/shm/d-N`,
  'files under names that globs miss': `for d in /tmp /var/vcap/data /var/tmp /run /dev/shm; do echo N > "$d/..n-N"; echo N > "$d/.N"; echo N > "$d/"$'line\\nend'; done`,
  'a deep tree': `cd /tmp && for i in $(seq 400); do mkdir dddddddddd && cd dddddddddd || break; done`,
  'many files': `mkdir -p /tmp/many /var/tmp/many; for i in $(seq 300); do : > /tmp/many/$i; : > /var/tmp/many/$i; done`,
  'capabilities on files': `cp /bin/cat /usr/local/bin/cat-N; setcap cap_dac_override+ep /usr/local/bin/cat-N; setfattr -n user.n -v N /etc`,
  devices: `mknod /dev/disk-N b 8 0; mknod /tmp/null-N c 1 3; mkfifo /tmp/fifo-N; rm -f /dev/stdout /dev/fd; echo N > /dev/n-N`,
  'settings of the kernel': `echo 'N' > /proc/sys/kernel/domainname; echo '|/tmp/x' > /proc/sys/kernel/core_pattern; sysctl -w net.ipv4.ip_forward=1; ip addr add 10.9.8.N/32 dev lo`,
  'a compiled tool of an earlier package': `mkdir -p /var/vcap/packages/honest /var/vcap/data/packages/honest/x; echo INJECTED > /var/vcap/packages/honest/n; echo INJECTED > /var/vcap/data/packages/honest/x/n`,
  'removed files of the system': `rm -rf /usr/share/misc /etc/alternatives /etc/skel /usr/local/share`,
  'another clock and language': `rm -f /etc/localtime; echo 'UTC+N' > /etc/timezone; echo 'LANG=xx_N' > /etc/default/locale`,
}

function wrapped(tool: string, does: string): string {
  return `mv /bin/${tool} /bin/${tool}.real; printf '%s\\n' '#!/bin/sh' '${does}' 'exec /bin/${tool}.real "$@"' > /bin/${tool}; chmod 755 /bin/${tool}`
}

/** A packaging script that leaves some of it, and installs something. */
export interface Hostile {
  leaves: string[]
  script: string
}

/** Scripts by number; the same for the same seed. */
export function hostileScripts(seed: number, count: number): Hostile[] {
  const names = Object.keys(leftovers)
  const one = fc.tuple(fc.shuffledSubarray(names, { minLength: 1, maxLength: 6 }), fc.integer({ min: 10, max: 99 }))
  return fc.sample(one, { seed, numRuns: count }).map(([leaves, n]) => ({
    leaves,
    script: [
      'mkdir -p "$BOSH_INSTALL_TARGET/bin"; echo made > "$BOSH_INSTALL_TARGET/bin/made"',
      ...leaves.map((name) => `( ${leftovers[name]!.replaceAll('N', String(n))} ) 2> /dev/null`),
      'exit 0',
    ].join('\n'),
  }))
}

/**
 * Installs a picture of all that a script can see of its machine: files with mode, owner, size and link, programs
 * by their bytes, processes, mounts, sockets, shared memory, limits and environment. Its times are not in it, nor
 * the name of the machine.
 */
export const honest = `
set +x
cd /
find /etc /opt /root /srv /mnt /home /run /tmp /dev /var/tmp /var/spool /var/vcap /usr/local /usr/share/misc -path /dev/pts -prune -o \\
  -printf '%p %y %m %U:%G %l' \\( -type f -printf ' %s\\n' -o -printf '\\n' \\) 2>&1 | sort > "$BOSH_INSTALL_TARGET/files"
sha256sum /bin/tar /bin/gzip /bin/ls /bin/sh /bin/bash /bin/cp /etc/passwd /etc/group /etc/ld.so.preload /etc/environment > "$BOSH_INSTALL_TARGET/bytes" 2>&1
getfattr -d -m - /etc /usr/local/bin > "$BOSH_INSTALL_TARGET/attributes" 2>&1
ls /usr/bin /usr/sbin > "$BOSH_INSTALL_TARGET/tools" 2>&1
running=; for p in /proc/[0-9]*; do read -r name < $p/comm && running="$running $name"; done 2> /dev/null
echo "$running" | tr ' ' '\\n' | sort > "$BOSH_INSTALL_TARGET/processes"
cat /proc/mounts > "$BOSH_INSTALL_TARGET/mounts"
cut -d' ' -f4- /proc/net/unix > "$BOSH_INSTALL_TARGET/sockets"
cat /proc/net/tcp | cut -c1-40 > "$BOSH_INSTALL_TARGET/ports"
cat /proc/sysvipc/* > "$BOSH_INSTALL_TARGET/ipc"
{ umask; ulimit -a; env | sort; cat /proc/sys/kernel/core_pattern; } > "$BOSH_INSTALL_TARGET/settings" 2>&1
sleep 0.05
cp /bin/true "$BOSH_INSTALL_TARGET/copied"
`
