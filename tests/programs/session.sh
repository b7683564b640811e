# What a user does in an afternoon, for busybox's sh or bash; prints nothing that depends on time, pids or the machine.
# Run in an empty folder. The same file runs under qemu-user on the host to say what Linux prints.
# What xargs starts is given with its path: busybox would start its own /proc/self/exe, which is the emulator there.
BIN=/bin
export LC_ALL=C PATH=$BIN
section() { echo "== $*"; }

section loops and arithmetic
i=0; total=0
while [ $i -lt 200 ]; do total=$((total + i * i)); i=$((i + 1)); done
echo $total
for a in x y z; do for b in 1 2; do printf '%s%s ' $a $b; done; done; echo
case hello in h*o) echo matches;; *) echo does not;; esac
f() { local v=$1; [ $v -le 1 ] && { echo 1; return; }; echo $((v * $(f $((v - 1))))); }
f 10

section here-documents
cat <<END
one $((1 + 1)) $(echo three)
END
cat <<'END' | tr a-z A-Z
as $it $(is)
END
cat <<-END
	tabs go
END

section pipelines
seq 1 5000 | sed 's/\(.*\)/\1 \1/' | awk '{ s += $1 + $2 } END { print s }'
seq 1 1000 | grep 7 | sort -rn | head -n 3
yes abc | head -n 1000 | wc
seq 1 20000 | md5sum
true | false; echo $?
! true; echo $?
(exit 42); echo $?
nosuchcommand 2>/dev/null; echo $?

section files
mkdir -p tree/a/b tree/c
for n in $(seq 1 50); do echo "file $n" > tree/a/f$n; done
for n in $(seq 1 20); do echo "other $n" > tree/a/b/g$n; done
ln -s a/f1 tree/link; ln tree/a/f2 tree/hard
find tree | sort | md5sum
find tree -type f | sort | xargs $BIN/cat | sort | uniq -c | wc -l
find tree -name 'f1*' | sort | xargs -n 4 $BIN/echo | head -n 2
ls tree tree/a/b | head -n 5
cat tree/link; readlink tree/link
stat -c '%h %s %F %a' tree/hard; stat -c '%F %a' tree/c
mv tree/a/f3 tree/c/moved; cp -r tree/a/b tree/c; ls tree/c tree/c/b | wc -l
chmod 600 tree/a/f4; ls -l tree/a/f4 | cut -c1-10
echo appended >> tree/a/f5; cat tree/a/f5
rm tree/a/f6; [ -e tree/a/f6 ] || echo gone
rmdir tree/a 2>/dev/null || echo not empty
stat -f . >/dev/null && echo statfs
touch -d '2001-02-03 04:05:06' tree/a/f7; stat -c %Y tree/a/f7
truncate -s 100000 sparse; wc -c < sparse; du -k sparse | cut -f1 | awk '{ print ($1 < 20) ? "sparse" : "full" }'

section archives
tar cf tree.tar tree; tar tf tree.tar | sort | md5sum
mkdir out; tar xf tree.tar -C out; diff -r tree out/tree && echo same
gzip -9 tree.tar; gzip -t tree.tar.gz && echo gzip ok
gunzip -c tree.tar.gz | tar xf - -O tree/a/b/g7
tar czf again.tgz tree && tar tzf again.tgz | wc -l

section a big file
awk 'BEGIN { for (i = 0; i < 400000; i++) printf "%049d\n", i * 7 }' > big
wc -c < big; md5sum big
dd if=big of=copy bs=64k 2>/dev/null; cmp big copy && echo equal
dd if=big bs=1000 skip=12345 count=3 2>/dev/null | md5sum
dd if=/dev/zero of=big bs=1 seek=77 count=5 conv=notrunc 2>/dev/null; cmp big copy | head -n 1
tail -c 101 copy; head -c 100 copy | od -c | head -n 2
sort -r copy | head -n 2
cat copy copy | wc -c
rm -f big copy

section jobs, traps and signals
for n in 3 1 2; do (echo job $n > job.$n) & done; wait; cat job.*
sleep 0 & wait $!; echo $?
(exit 7) & wait $!; echo $?
sh -c 'trap "echo caught; exit 5" TERM; kill -TERM $$; echo never'; echo $?
sh -c 'kill -KILL $$'; echo $?
sh -c 'trap "echo bye" EXIT; echo work'
sh -c 'trap "" INT; kill -INT $$; echo ignored'
sleep 1000 & victim=$!; kill $victim; wait $victim; echo $?
(trap 'echo usr1' USR1; sh -c "kill -USR1 \$PPID"; true)
mkfifo pipe; (seq 1 5 > pipe &) ; cat pipe

section environment and expansion
X=1 sh -c 'echo $X'; unset nothing; echo ${nothing:-default} ${#LC_ALL}
v=/a/b/c.tar.gz; echo ${v##*/} ${v%%.*} ${v%.gz}
set -- a 'b c' d; echo $# "$2"; shift; echo "$@"
echo tree/a/f1? | wc -w
sh -c 'cd tree/a && pwd' | sed 's,.*/tree,tree,'
exec 3> three; echo to three >&3; exec 3>&-; cat three
{ echo error >&2; } 2>errors; cat errors
printf '%05d|%-6s|%x|%s\n' 42 ab 255 "$(echo nested $(echo twice))"
umask 027; echo > masked; stat -c %a masked
echo end
