import type { Connection } from '../../../shared/provider/connection.ts'
import { shell } from '../../contract/shell.ts'

/**
 * Parts of BOSH's stemcells that another root may lack: users and groups that jobs run as and give files to, folders,
 * and `resolvconf`. A light stemcell is the root of this computer, so all of it is written to the machine's own layer.
 * Numbers are BOSH's where they are free. Users and folders that are there are left as they are.
 */
const script = `
has() { while IFS=: read -r found _ number _; do [ "$found" = "$2" ] && return 0; [ "$number" = "$2" ] && return 0; done < "/etc/$1"; return 1; }
free() { next=$2; while has "$1" "$next"; do next=$((next + 1)); done; echo "$next"; }
touch /etc/passwd /etc/group
group() { has group "$1" || echo "$1:x:$(free group "$2"):" >> /etc/group; }
number() { while IFS=: read -r found _ number _; do [ "$found" = "$1" ] && echo "$number" && return; done < /etc/group; }
user() {
  has passwd "$1" && return
  group "$1" "$2"
  echo "$1:x:$(free passwd "$2"):$(number "$1")::$3:$4" >> /etc/passwd
  [ ! -e /etc/shadow ] || echo "$1:!:19000:0:99999:7:::" >> /etc/shadow
}
group vcap 1000
group adm 4
group bosh_sudoers 1001
group bosh_sshers 1002
group admin 1003
user vcap 1000 /home/vcap /bin/bash
user syslog 104 /home/syslog /bin/false
mkdir -p /home/vcap /var/vcap/bosh/bin /var/vcap/bosh/log /var/vcap/data/tmp /var/vcap/data/jobs /var/vcap/sys/log /var/vcap/sys/run
chown vcap:vcap /home/vcap 2>/dev/null || ONE_USER
for folder in /var/vcap/data /var/vcap/data/jobs /var/vcap/data/tmp /var/vcap/sys /var/vcap/sys/log /var/vcap/sys/run; do
  chown root:vcap "$folder" 2>/dev/null || ONE_USER
done
chmod 0770 /var/vcap/data/tmp
command -v resolvconf > /dev/null && exit 0
mkdir -p /etc/resolvconf/resolv.conf.d /usr/sbin
for part in head base tail; do [ -e "/etc/resolvconf/resolv.conf.d/$part" ] || : > "/etc/resolvconf/resolv.conf.d/$part"; done
[ ! -e /etc/resolv.conf ] || cat /etc/resolv.conf > /etc/resolvconf/resolv.conf.d/base
cat > /usr/sbin/resolvconf <<'END'
#!/bin/sh
# On a machine that has none: -u writes /etc/resolv.conf from its parts.
[ "$1" = -u ] || exit 0
cd /etc/resolvconf/resolv.conf.d && cat head base tail > /etc/resolv.conf
END
chmod 0755 /usr/sbin/resolvconf
`

/** True where a machine has the ids of one user only: an ordinary user made it, and no file can be another's. */
const oneUser = '[ "$(while read -r _ _ count; do echo "$count"; done < /proc/self/uid_map)" = 1 ]'

/** Gives a machine what it lacks of what jobs find on a machine of BOSH. */
export async function furnish(connection: Connection): Promise<void> {
  await shell(connection, script.replaceAll('ONE_USER', oneUser))
}

/** Makes a tree below a job's directory readable for vcap: as BOSH has rendered files, `root:vcap`. */
export const readableForVcap = `chgrp -R vcap "$1" 2>/dev/null || ${oneUser}`

/** A line that makes folders which a job may write to, as root or as a user of the group vcap. */
export function writableForVcap(folders: string): string {
  return `mkdir -p ${folders}; chmod 0770 ${folders}; chown root:vcap ${folders} 2>/dev/null || ${oneUser}`
}
