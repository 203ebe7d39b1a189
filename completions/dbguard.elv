
use builtin;
use str;

set edit:completion:arg-completer[dbguard] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'dbguard'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'dbguard'= {
            cand --color 'When to use colour [default: auto]'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand exec 'Run a command alone on a database'
            cand sql 'Run SQL on a database under its lock'
            cand info 'Say who holds a database, who waits, and what is blocked'
            cand fix 'Clear what dead processes left behind, and nothing else'
            cand test 'Prove that concurrent access loses nothing here, and say how fast it is'
            cand watch 'Watch who holds databases and who waits, as it happens'
            cand stats 'Say how often locks were had, waited for and missed'
            cand wait 'Wait until the locks could be had'
            cand acquire 'Take locks for the steps of a script, and return'
            cand release 'Give back locks that `dbguard acquire` took'
            cand unlock 'End the processes that hold a database'
            cand update 'Change a file by a command, under its lock and in one step'
            cand path 'Print the file that is locked for a database'
            cand completions 'Print the completions for a shell'
            cand man 'Print a page of the manual'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'dbguard;exec'= {
            cand -c 'Run STRING in the shell instead of COMMAND'
            cand --command 'Run STRING in the shell instead of COMMAND'
            cand --max-hold 'End the command when it has held the lock for DURATION, and exit with 123'
            cand --kill-after 'How long after --max-hold''s TERM signal KILL is sent [default: 10s]'
            cand --fd 'Lock the open file descriptor N for the calling process instead of running a command'
            cand --retry 'Run the command again, up to N times, when it failed because the database was busy'
            cand --retry-exit 'The exit codes that mean busy, as a list or ranges [default: 5,6,75]'
            cand --status-file 'Write what happened to PATH as JSON'
            cand -k 'Lock only the part of the database called NAME, such as a tenant or a shard'
            cand --key 'Lock only the part of the database called NAME, such as a tenant or a shard'
            cand -w 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]'
            cand --timeout 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]'
            cand -E 'Exit with N instead of 75 or 124 when the lock was not obtained'
            cand --conflict-exit-code 'Exit with N instead of 75 or 124 when the lock was not obtained'
            cand --max-waiters 'Fail if N others already wait for the lock'
            cand --native 'What to do when the database engine''s own locks are in the way [default: wait]'
            cand --lock-dir 'Keep the lock''s files in DIR instead of .dbguard beside the database'
            cand --lock-file 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it'
            cand --label 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder'
            cand --color 'When to use colour [default: auto]'
            cand -F 'Become the command instead of starting it'
            cand --no-fork 'Become the command instead of starting it'
            cand -o 'Keep the lock from the command: it is released when dbguard ends, even if killed'
            cand --close 'Keep the lock from the command: it is released when dbguard ends, even if killed'
            cand --hold-descendants 'Hold the lock until every process that the command started has ended'
            cand -u 'With --fd: release the lock instead of taking it'
            cand --unlock 'With --fd: release the lock instead of taking it'
            cand -s 'Take the lock shared: others that ask for it shared may hold it too'
            cand --shared 'Take the lock shared: others that ask for it shared may hold it too'
            cand -x 'Take the lock alone (the default; in sql the statements decide)'
            cand --exclusive 'Take the lock alone (the default; in sql the statements decide)'
            cand -n 'Fail instead of waiting, whatever -w says'
            cand --nonblock 'Fail instead of waiting, whatever -w says'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;sql'= {
            cand -f 'Read the statements from PATH'
            cand --file 'Read the statements from PATH'
            cand -p 'Give the parameter NAME a value'
            cand --param 'Give the parameter NAME a value'
            cand --if 'Run the batch only if the first value of this query is true, else exit with 1'
            cand --create 'Make the database if FILE does not exist: of ENGINE, or the one that its name suggests'
            cand --retries 'Try a busy batch again up to N times [default: inf, until -w is over]'
            cand --retry-delay 'The longest pause before the first retry, which doubles each time [default: 20ms]'
            cand --retry-max-delay 'The longest pause between two tries [default: 2s]'
            cand --format 'How to print rows [default: table on a terminal, else csv]'
            cand --null 'What to print for NULL [default: nothing in csv and tsv, else NULL]'
            cand --output 'Write the rows to PATH instead of standard output, all of them or nothing'
            cand -k 'Lock only the part of the database called NAME, such as a tenant or a shard'
            cand --key 'Lock only the part of the database called NAME, such as a tenant or a shard'
            cand -w 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]'
            cand --timeout 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]'
            cand -E 'Exit with N instead of 75 or 124 when the lock was not obtained'
            cand --conflict-exit-code 'Exit with N instead of 75 or 124 when the lock was not obtained'
            cand --max-waiters 'Fail if N others already wait for the lock'
            cand --native 'What to do when the database engine''s own locks are in the way [default: wait]'
            cand --lock-dir 'Keep the lock''s files in DIR instead of .dbguard beside the database'
            cand --lock-file 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it'
            cand --label 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder'
            cand --color 'When to use colour [default: auto]'
            cand --wal 'Switch a SQLite database to write-ahead logging first, if it is not there yet'
            cand --no-transaction 'Run every statement for itself instead of all in one transaction'
            cand --no-header 'Leave the names of the columns out'
            cand -s 'Take the lock shared: others that ask for it shared may hold it too'
            cand --shared 'Take the lock shared: others that ask for it shared may hold it too'
            cand -x 'Take the lock alone (the default; in sql the statements decide)'
            cand --exclusive 'Take the lock alone (the default; in sql the statements decide)'
            cand -n 'Fail instead of waiting, whatever -w says'
            cand --nonblock 'Fail instead of waiting, whatever -w says'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;info'= {
            cand --check 'Answer by the exit code: 0 if no lock keeps MODE out now, 1 if one does or none can be seen'
            cand -k 'Look at the part of the database called NAME'
            cand --key 'Look at the part of the database called NAME'
            cand --lock-dir 'Where the lock''s files are, if not in .dbguard beside the database'
            cand --color 'When to use colour [default: auto]'
            cand --openers 'Also list who merely has the database open'
            cand --cross-file-systems 'In a directory, go into other file systems too'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;fix'= {
            cand --backup 'Before a database is brought in order, copy its logs and journals to DIR'
            cand --assume-stale 'Take locks of FORMAT that name nobody for stale at AGE, 60 s or more'
            cand --pattern 'Read files called like GLOB as PID files, too; whatever holds a number alone is one then'
            cand --lock-dir 'Clean the state in DIR instead of that beside the databases'
            cand --color 'When to use colour [default: auto]'
            cand --dry-run 'Change nothing and say what would be done; exit with 1 if anything would'
            cand --no-recover 'Leave databases alone'
            cand --cross-file-systems 'Go into other file systems too'
            cand --strict 'Exit with 1 also if something is left that nobody can judge'
            cand --list-formats 'List the formats of lock files that are known, and what is done about each'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;test'= {
            cand --workers 'How many workers there are, each with one process at a time [default: 4]'
            cand --ops 'How many operations each worker does [default: 50]'
            cand --duration 'Let the workers go on for DURATION, instead of a number of operations'
            cand --mode 'What an operation is [default: mixed, for a plain file exec]'
            cand --readers 'How many more read all the time, under the shared lock [default: 0]'
            cand --fs 'Only try out whether locks work in DIR: between two processes, on a new file'
            cand -w 'How long each operation waits for the lock [default: 10m, or DBGUARD_TIMEOUT]'
            cand --timeout 'How long each operation waits for the lock [default: 10m, or DBGUARD_TIMEOUT]'
            cand --lock-dir 'Keep the locks'' files below DIR, to prove that they can be there'
            cand --color 'When to use colour [default: auto]'
            cand --in-place 'Count in FILE itself, in a table of its own that is dropped in the end'
            cand --compare 'Do the same work without dbguard as well, and print both side by side'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;watch'= {
            cand --interval 'Look once every DURATION, at least 50ms [default: 1s]'
            cand --until 'End with 0 as soon as all of them are free, or one of them is held'
            cand -w 'With --until, give up after DURATION and exit with 124 [default: inf]'
            cand --timeout 'With --until, give up after DURATION and exit with 124 [default: inf]'
            cand --events 'Tell only these events, separated by commas, to standard output and to --exec'
            cand --exec 'Run the shell command CMD for each event, with the event on its standard input'
            cand --lock-dir 'Where the locks'' files are, if not in .dbguard beside the databases'
            cand --color 'When to use colour [default: auto]'
            cand --fix 'When a holder has died, clear what he left, as `dbguard fix FILE` does'
            cand --cross-file-systems 'In a directory, go into other file systems too'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;stats'= {
            cand --format 'How to print them [default: text, or json with --json]'
            cand --output 'Write to FILE, which is replaced at once or not at all'
            cand --lock-dir 'Where the locks'' files are, if not in .dbguard beside the database'
            cand --color 'When to use colour [default: auto]'
            cand --reset 'Forget what was counted, and print it one last time: no grant is lost or counted twice'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;wait'= {
            cand -k 'Lock only the part of the database called NAME, such as a tenant or a shard'
            cand --key 'Lock only the part of the database called NAME, such as a tenant or a shard'
            cand -w 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]'
            cand --timeout 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]'
            cand -E 'Exit with N instead of 75 or 124 when the lock was not obtained'
            cand --conflict-exit-code 'Exit with N instead of 75 or 124 when the lock was not obtained'
            cand --max-waiters 'Fail if N others already wait for the lock'
            cand --native 'What to do when the database engine''s own locks are in the way [default: wait]'
            cand --lock-dir 'Keep the lock''s files in DIR instead of .dbguard beside the database'
            cand --lock-file 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it'
            cand --label 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder'
            cand --color 'When to use colour [default: auto]'
            cand -s 'Take the lock shared: others that ask for it shared may hold it too'
            cand --shared 'Take the lock shared: others that ask for it shared may hold it too'
            cand -x 'Take the lock alone (the default; in sql the statements decide)'
            cand --exclusive 'Take the lock alone (the default; in sql the statements decide)'
            cand -n 'Fail instead of waiting, whatever -w says'
            cand --nonblock 'Fail instead of waiting, whatever -w says'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;acquire'= {
            cand -k 'Lock only the part of the database called NAME, such as a tenant or a shard'
            cand --key 'Lock only the part of the database called NAME, such as a tenant or a shard'
            cand -w 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]'
            cand --timeout 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]'
            cand -E 'Exit with N instead of 75 or 124 when the lock was not obtained'
            cand --conflict-exit-code 'Exit with N instead of 75 or 124 when the lock was not obtained'
            cand --max-waiters 'Fail if N others already wait for the lock'
            cand --native 'What to do when the database engine''s own locks are in the way [default: wait]'
            cand --lock-dir 'Keep the lock''s files in DIR instead of .dbguard beside the database'
            cand --lock-file 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it'
            cand --label 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder'
            cand --ttl 'Keep the locks for DURATION at most, counted from now on, also while the machine sleeps [default: 5m; inf with --for-pid]'
            cand --for-pid 'Keep the locks until process PID ends, such as the shell: `--for-pid $$`'
            cand --export 'Print lines for a shell to eval, or write to the file that GITHUB_ENV names, for the steps that follow'
            cand --color 'When to use colour [default: auto]'
            cand -s 'Take the lock shared: others that ask for it shared may hold it too'
            cand --shared 'Take the lock shared: others that ask for it shared may hold it too'
            cand -x 'Take the lock alone (the default; in sql the statements decide)'
            cand --exclusive 'Take the lock alone (the default; in sql the statements decide)'
            cand -n 'Fail instead of waiting, whatever -w says'
            cand --nonblock 'Fail instead of waiting, whatever -w says'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;release'= {
            cand --token 'What `dbguard acquire` printed [default: the value of DBGUARD_TOKEN]'
            cand --extend 'Keep the locks, and end them DURATION from now instead'
            cand -w 'Give up after DURATION, if commands that joined still run [default: 30s]'
            cand --timeout 'Give up after DURATION, if commands that joined still run [default: 30s]'
            cand --lock-dir 'Look for the lock''s files in DIR instead of .dbguard beside the database'
            cand --lock-file 'The lock file, if one was named to `dbguard acquire`'
            cand --color 'When to use colour [default: auto]'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;unlock'= {
            cand --holder 'Which holders are ended [default: any; with --key: guard]'
            cand --kill-after 'How long after TERM they are killed: a duration, or inf for never [default: 10s]'
            cand -w 'Give up if FILE is not free DURATION after the last signal [default: 30s]'
            cand --timeout 'Give up if FILE is not free DURATION after the last signal [default: 30s]'
            cand -k 'Only what keeps others from the part of the database called NAME; engines know no parts'
            cand --key 'Only what keeps others from the part of the database called NAME; engines know no parts'
            cand --lock-dir 'Where the locks'' files are, if not in .dbguard beside the database'
            cand --color 'When to use colour [default: auto]'
            cand -y 'End them without asking'
            cand --yes 'End them without asking'
            cand --continue 'Let stopped processes go on before TERM, which they do not hear otherwise'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;update'= {
            cand --if-sha256 'Change nothing, and exit with 1, unless the SHA-256 of FILE is H'
            cand -w 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]'
            cand --timeout 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]'
            cand -E 'Exit with N instead of 75 or 124 when the lock was not obtained'
            cand --conflict-exit-code 'Exit with N instead of 75 or 124 when the lock was not obtained'
            cand --max-waiters 'Fail if N others already wait for the lock'
            cand --native 'What to do when the database engine''s own locks are in the way [default: wait]'
            cand --lock-dir 'Keep the lock''s files in DIR instead of .dbguard beside the database'
            cand --lock-file 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it'
            cand --label 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder'
            cand -k 'Lock only the part of the database called NAME, such as a tenant or a shard'
            cand --key 'Lock only the part of the database called NAME, such as a tenant or a shard'
            cand --color 'When to use colour [default: auto]'
            cand --create 'Make FILE if it is missing; COMMAND then reads nothing'
            cand --batch 'Change several FILEs: COMMAND gets copies of them as its last arguments'
            cand -n 'Fail instead of waiting, whatever -w says'
            cand --nonblock 'Fail instead of waiting, whatever -w says'
            cand -s 'Take the lock shared: others that ask for it shared may hold it too'
            cand --shared 'Take the lock shared: others that ask for it shared may hold it too'
            cand -x 'Take the lock alone (the default; in sql the statements decide)'
            cand --exclusive 'Take the lock alone (the default; in sql the statements decide)'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;path'= {
            cand -k 'Print the file of the part of the database called NAME'
            cand --key 'Print the file of the part of the database called NAME'
            cand --lock-dir 'Keep the lock''s files in DIR instead of .dbguard beside the database'
            cand --color 'When to use colour [default: auto]'
            cand --no-create 'Print the path and make nothing'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;completions'= {
            cand --color 'When to use colour [default: auto]'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;man'= {
            cand --color 'When to use colour [default: auto]'
            cand --json 'Print JSON: the answer on standard output, an error on standard error'
            cand -q 'Print no warnings, no hints and nothing about waiting'
            cand --quiet 'Print no warnings, no hints and nothing about waiting'
            cand -v 'Say how long it took to obtain the lock; twice: log what is done'
            cand --verbose 'Say how long it took to obtain the lock; twice: log what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'dbguard;help'= {
            cand exec 'Run a command alone on a database'
            cand sql 'Run SQL on a database under its lock'
            cand info 'Say who holds a database, who waits, and what is blocked'
            cand fix 'Clear what dead processes left behind, and nothing else'
            cand test 'Prove that concurrent access loses nothing here, and say how fast it is'
            cand watch 'Watch who holds databases and who waits, as it happens'
            cand stats 'Say how often locks were had, waited for and missed'
            cand wait 'Wait until the locks could be had'
            cand acquire 'Take locks for the steps of a script, and return'
            cand release 'Give back locks that `dbguard acquire` took'
            cand unlock 'End the processes that hold a database'
            cand update 'Change a file by a command, under its lock and in one step'
            cand path 'Print the file that is locked for a database'
            cand completions 'Print the completions for a shell'
            cand man 'Print a page of the manual'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'dbguard;help;exec'= {
        }
        &'dbguard;help;sql'= {
        }
        &'dbguard;help;info'= {
        }
        &'dbguard;help;fix'= {
        }
        &'dbguard;help;test'= {
        }
        &'dbguard;help;watch'= {
        }
        &'dbguard;help;stats'= {
        }
        &'dbguard;help;wait'= {
        }
        &'dbguard;help;acquire'= {
        }
        &'dbguard;help;release'= {
        }
        &'dbguard;help;unlock'= {
        }
        &'dbguard;help;update'= {
        }
        &'dbguard;help;path'= {
        }
        &'dbguard;help;completions'= {
        }
        &'dbguard;help;man'= {
        }
        &'dbguard;help;help'= {
        }
    ]
    $completions[$command]
}
