# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_dbguard_global_optspecs
    string join \n json q/quiet v/verbose color= h/help V/version
end

function __fish_dbguard_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_dbguard_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_dbguard_using_subcommand
    set -l cmd (__fish_dbguard_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c dbguard -n "__fish_dbguard_needs_command" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_needs_command" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_needs_command" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_needs_command" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_needs_command" -s V -l version -d 'Print version'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "exec" -d 'Run a command alone on a database'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "sql" -d 'Run SQL on a database under its lock'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "info" -d 'Say who holds a database, who waits, and what is blocked'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "fix" -d 'Clear what dead processes left behind, and nothing else'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "test" -d 'Prove that concurrent access loses nothing here, and say how fast it is'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "watch" -d 'Watch who holds databases and who waits, as it happens'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "stats" -d 'Say how often locks were had, waited for and missed'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "wait" -d 'Wait until the locks could be had'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "acquire" -d 'Take locks for the steps of a script, and return'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "release" -d 'Give back locks that `dbguard acquire` took'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "unlock" -d 'End the processes that hold a database'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "update" -d 'Change a file by a command, under its lock and in one step'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "path" -d 'Print the file that is locked for a database'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "completions" -d 'Print the completions for a shell'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "man" -d 'Print a page of the manual'
complete -c dbguard -n "__fish_dbguard_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s c -l command -d 'Run STRING in the shell instead of COMMAND' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l max-hold -d 'End the command when it has held the lock for DURATION, and exit with 123' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l kill-after -d 'How long after --max-hold\'s TERM signal KILL is sent [default: 10s]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l fd -d 'Lock the open file descriptor N for the calling process instead of running a command' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l retry -d 'Run the command again, up to N times, when it failed because the database was busy' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l retry-exit -d 'The exit codes that mean busy, as a list or ranges [default: 5,6,75]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l status-file -d 'Write what happened to PATH as JSON' -r -F
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s k -l key -d 'Lock only the part of the database called NAME, such as a tenant or a shard' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s w -l timeout -d 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s E -l conflict-exit-code -d 'Exit with N instead of 75 or 124 when the lock was not obtained' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l max-waiters -d 'Fail if N others already wait for the lock' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l native -d 'What to do when the database engine\'s own locks are in the way [default: wait]' -r -f -a "wait\t'Wait until none of them is in the way'
fail\t'Fail if one of them is in the way'
ignore\t'Do not look'"
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l lock-dir -d 'Keep the lock\'s files in DIR instead of .dbguard beside the database' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l lock-file -d 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it' -r -F
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l label -d 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s F -l no-fork -d 'Become the command instead of starting it'
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s o -l close -d 'Keep the lock from the command: it is released when dbguard ends, even if killed'
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l hold-descendants -d 'Hold the lock until every process that the command started has ended'
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s u -l unlock -d 'With --fd: release the lock instead of taking it'
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s s -l shared -d 'Take the lock shared: others that ask for it shared may hold it too'
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s x -l exclusive -d 'Take the lock alone (the default; in sql the statements decide)'
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s n -l nonblock -d 'Fail instead of waiting, whatever -w says'
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -s f -l file -d 'Read the statements from PATH' -r -F
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -s p -l param -d 'Give the parameter NAME a value' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l if -d 'Run the batch only if the first value of this query is true, else exit with 1' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l create -d 'Make the database if FILE does not exist: of ENGINE, or the one that its name suggests' -r -f -a "sqlite\t'SQLite'
duckdb\t'DuckDB'"
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l retries -d 'Try a busy batch again up to N times [default: inf, until -w is over]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l retry-delay -d 'The longest pause before the first retry, which doubles each time [default: 20ms]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l retry-max-delay -d 'The longest pause between two tries [default: 2s]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l format -d 'How to print rows [default: table on a terminal, else csv]' -r -f -a "table\t'Boxes, for people'
csv\t'Comma-separated values'
tsv\t'Tab-separated values'
json\t'An array of objects for each result'
jsonl\t'An object a row'
markdown\t'A table in Markdown'
line\t'One value a line'
quiet\t'Nothing'"
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l null -d 'What to print for NULL [default: nothing in csv and tsv, else NULL]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l output -d 'Write the rows to PATH instead of standard output, all of them or nothing' -r -F
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -s k -l key -d 'Lock only the part of the database called NAME, such as a tenant or a shard' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -s w -l timeout -d 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -s E -l conflict-exit-code -d 'Exit with N instead of 75 or 124 when the lock was not obtained' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l max-waiters -d 'Fail if N others already wait for the lock' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l native -d 'What to do when the database engine\'s own locks are in the way [default: wait]' -r -f -a "wait\t'Wait until none of them is in the way'
fail\t'Fail if one of them is in the way'
ignore\t'Do not look'"
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l lock-dir -d 'Keep the lock\'s files in DIR instead of .dbguard beside the database' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l lock-file -d 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it' -r -F
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l label -d 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l wal -d 'Switch a SQLite database to write-ahead logging first, if it is not there yet'
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l no-transaction -d 'Run every statement for itself instead of all in one transaction'
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l no-header -d 'Leave the names of the columns out'
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -s s -l shared -d 'Take the lock shared: others that ask for it shared may hold it too'
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -s x -l exclusive -d 'Take the lock alone (the default; in sql the statements decide)'
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -s n -l nonblock -d 'Fail instead of waiting, whatever -w says'
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand sql" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand info" -l check -d 'Answer by the exit code: 0 if no lock keeps MODE out now, 1 if one does or none can be seen' -r -f -a "shared\t'To read'
exclusive\t'To write'"
complete -c dbguard -n "__fish_dbguard_using_subcommand info" -s k -l key -d 'Look at the part of the database called NAME' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand info" -l lock-dir -d 'Where the lock\'s files are, if not in .dbguard beside the database' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand info" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand info" -l openers -d 'Also list who merely has the database open'
complete -c dbguard -n "__fish_dbguard_using_subcommand info" -l cross-file-systems -d 'In a directory, go into other file systems too'
complete -c dbguard -n "__fish_dbguard_using_subcommand info" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand info" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand info" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand info" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -l backup -d 'Before a database is brought in order, copy its logs and journals to DIR' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -l assume-stale -d 'Take locks of FORMAT that name nobody for stale at AGE, 60 s or more' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -l pattern -d 'Read files called like GLOB as PID files, too; whatever holds a number alone is one then' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -l lock-dir -d 'Clean the state in DIR instead of that beside the databases' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -l dry-run -d 'Change nothing and say what would be done; exit with 1 if anything would'
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -l no-recover -d 'Leave databases alone'
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -l cross-file-systems -d 'Go into other file systems too'
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -l strict -d 'Exit with 1 also if something is left that nobody can judge'
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -l list-formats -d 'List the formats of lock files that are known, and what is done about each'
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand fix" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -l workers -d 'How many workers there are, each with one process at a time [default: 4]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -l ops -d 'How many operations each worker does [default: 50]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -l duration -d 'Let the workers go on for DURATION, instead of a number of operations' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -l mode -d 'What an operation is [default: mixed, for a plain file exec]' -r -f -a "sql\t'`dbguard sql`, which adds in one transaction'
exec\t'`dbguard exec` with a command that reads, and then writes'
mixed\t'Both in turns'"
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -l readers -d 'How many more read all the time, under the shared lock [default: 0]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -l fs -d 'Only try out whether locks work in DIR: between two processes, on a new file' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -s w -l timeout -d 'How long each operation waits for the lock [default: 10m, or DBGUARD_TIMEOUT]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -l lock-dir -d 'Keep the locks\' files below DIR, to prove that they can be there' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -l in-place -d 'Count in FILE itself, in a table of its own that is dropped in the end'
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -l compare -d 'Do the same work without dbguard as well, and print both side by side'
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -l interval -d 'Look once every DURATION, at least 50ms [default: 1s]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -l until -d 'End with 0 as soon as all of them are free, or one of them is held' -r -f -a "free\t'Nobody has any of them'
held\t'Somebody has one of them'"
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -s w -l timeout -d 'With --until, give up after DURATION and exit with 124 [default: inf]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -l events -d 'Tell only these events, separated by commas, to standard output and to --exec' -r -f -a "watching\t'A database is watched from here on'
gone\t'It has gone'
waiting\t'Somebody queued up'
acquired\t'Somebody got the lock'
released\t'Somebody gave it back'
gave_up\t'Somebody stopped waiting'
died\t'Somebody ended without giving it back'
native_locked\t'Locks of the engine keep others out'
native_released\t'They do not any more'
fixed\t'What a dead one left was cleared'"
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -l exec -d 'Run the shell command CMD for each event, with the event on its standard input' -r -f -a "(__fish_complete_command)"
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -l lock-dir -d 'Where the locks\' files are, if not in .dbguard beside the databases' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -l fix -d 'When a holder has died, clear what he left, as `dbguard fix FILE` does'
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -l cross-file-systems -d 'In a directory, go into other file systems too'
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand stats" -l format -d 'How to print them [default: text, or json with --json]' -r -f -a "text\t'For people'
json\t'One document'
prometheus\t'The text format of Prometheus'"
complete -c dbguard -n "__fish_dbguard_using_subcommand stats" -l output -d 'Write to FILE, which is replaced at once or not at all' -r -F
complete -c dbguard -n "__fish_dbguard_using_subcommand stats" -l lock-dir -d 'Where the locks\' files are, if not in .dbguard beside the database' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand stats" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand stats" -l reset -d 'Forget what was counted, and print it one last time: no grant is lost or counted twice'
complete -c dbguard -n "__fish_dbguard_using_subcommand stats" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand stats" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand stats" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -s k -l key -d 'Lock only the part of the database called NAME, such as a tenant or a shard' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -s w -l timeout -d 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -s E -l conflict-exit-code -d 'Exit with N instead of 75 or 124 when the lock was not obtained' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -l max-waiters -d 'Fail if N others already wait for the lock' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -l native -d 'What to do when the database engine\'s own locks are in the way [default: wait]' -r -f -a "wait\t'Wait until none of them is in the way'
fail\t'Fail if one of them is in the way'
ignore\t'Do not look'"
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -l lock-dir -d 'Keep the lock\'s files in DIR instead of .dbguard beside the database' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -l lock-file -d 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it' -r -F
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -l label -d 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -s s -l shared -d 'Take the lock shared: others that ask for it shared may hold it too'
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -s x -l exclusive -d 'Take the lock alone (the default; in sql the statements decide)'
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -s n -l nonblock -d 'Fail instead of waiting, whatever -w says'
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -s k -l key -d 'Lock only the part of the database called NAME, such as a tenant or a shard' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -s w -l timeout -d 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -s E -l conflict-exit-code -d 'Exit with N instead of 75 or 124 when the lock was not obtained' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -l max-waiters -d 'Fail if N others already wait for the lock' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -l native -d 'What to do when the database engine\'s own locks are in the way [default: wait]' -r -f -a "wait\t'Wait until none of them is in the way'
fail\t'Fail if one of them is in the way'
ignore\t'Do not look'"
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -l lock-dir -d 'Keep the lock\'s files in DIR instead of .dbguard beside the database' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -l lock-file -d 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it' -r -F
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -l label -d 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -l ttl -d 'Keep the locks for DURATION at most, counted from now on, also while the machine sleeps [default: 5m; inf with --for-pid]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -l for-pid -d 'Keep the locks until process PID ends, such as the shell: `--for-pid $$`' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -l export -d 'Print lines for a shell to eval, or write to the file that GITHUB_ENV names, for the steps that follow' -r -f -a "sh\t'Lines that a POSIX shell can eval'
github\t'The environment of the steps that follow in a job of GitHub Actions'"
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -s s -l shared -d 'Take the lock shared: others that ask for it shared may hold it too'
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -s x -l exclusive -d 'Take the lock alone (the default; in sql the statements decide)'
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -s n -l nonblock -d 'Fail instead of waiting, whatever -w says'
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand acquire" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand release" -l token -d 'What `dbguard acquire` printed [default: the value of DBGUARD_TOKEN]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand release" -l extend -d 'Keep the locks, and end them DURATION from now instead' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand release" -s w -l timeout -d 'Give up after DURATION, if commands that joined still run [default: 30s]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand release" -l lock-dir -d 'Look for the lock\'s files in DIR instead of .dbguard beside the database' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand release" -l lock-file -d 'The lock file, if one was named to `dbguard acquire`' -r -F
complete -c dbguard -n "__fish_dbguard_using_subcommand release" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand release" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand release" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand release" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand release" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand unlock" -l holder -d 'Which holders are ended [default: any; with --key: guard]' -r -f -a "guard\t'Those of dbguard\'s own lock'
native\t'Those whose locks of the database engine keep others out'
any\t'All of them'"
complete -c dbguard -n "__fish_dbguard_using_subcommand unlock" -l kill-after -d 'How long after TERM they are killed: a duration, or inf for never [default: 10s]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand unlock" -s w -l timeout -d 'Give up if FILE is not free DURATION after the last signal [default: 30s]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand unlock" -s k -l key -d 'Only what keeps others from the part of the database called NAME; engines know no parts' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand unlock" -l lock-dir -d 'Where the locks\' files are, if not in .dbguard beside the database' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand unlock" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand unlock" -s y -l yes -d 'End them without asking'
complete -c dbguard -n "__fish_dbguard_using_subcommand unlock" -l continue -d 'Let stopped processes go on before TERM, which they do not hear otherwise'
complete -c dbguard -n "__fish_dbguard_using_subcommand unlock" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand unlock" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand unlock" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand unlock" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -l if-sha256 -d 'Change nothing, and exit with 1, unless the SHA-256 of FILE is H' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -s w -l timeout -d 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -s E -l conflict-exit-code -d 'Exit with N instead of 75 or 124 when the lock was not obtained' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -l max-waiters -d 'Fail if N others already wait for the lock' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -l native -d 'What to do when the database engine\'s own locks are in the way [default: wait]' -r -f -a "wait\t'Wait until none of them is in the way'
fail\t'Fail if one of them is in the way'
ignore\t'Do not look'"
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -l lock-dir -d 'Keep the lock\'s files in DIR instead of .dbguard beside the database' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -l lock-file -d 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it' -r -F
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -l label -d 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -s k -l key -d 'Lock only the part of the database called NAME, such as a tenant or a shard' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -l create -d 'Make FILE if it is missing; COMMAND then reads nothing'
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -l batch -d 'Change several FILEs: COMMAND gets copies of them as its last arguments'
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -s n -l nonblock -d 'Fail instead of waiting, whatever -w says'
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -s s -l shared -d 'Take the lock shared: others that ask for it shared may hold it too'
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -s x -l exclusive -d 'Take the lock alone (the default; in sql the statements decide)'
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand update" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand path" -s k -l key -d 'Print the file of the part of the database called NAME' -r
complete -c dbguard -n "__fish_dbguard_using_subcommand path" -l lock-dir -d 'Keep the lock\'s files in DIR instead of .dbguard beside the database' -r -f -a "(__fish_complete_directories)"
complete -c dbguard -n "__fish_dbguard_using_subcommand path" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand path" -l no-create -d 'Print the path and make nothing'
complete -c dbguard -n "__fish_dbguard_using_subcommand path" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand path" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand path" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand path" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand completions" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand completions" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand completions" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand completions" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand man" -l color -d 'When to use colour [default: auto]' -r -f -a "auto\t'On a terminal, unless the environment asks for something else'
always\t'Everywhere'
never\t'Nowhere'"
complete -c dbguard -n "__fish_dbguard_using_subcommand man" -l json -d 'Print JSON: the answer on standard output, an error on standard error'
complete -c dbguard -n "__fish_dbguard_using_subcommand man" -s q -l quiet -d 'Print no warnings, no hints and nothing about waiting'
complete -c dbguard -n "__fish_dbguard_using_subcommand man" -s v -l verbose -d 'Say how long it took to obtain the lock; twice: log what is done'
complete -c dbguard -n "__fish_dbguard_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "exec" -d 'Run a command alone on a database'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "sql" -d 'Run SQL on a database under its lock'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "info" -d 'Say who holds a database, who waits, and what is blocked'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "fix" -d 'Clear what dead processes left behind, and nothing else'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "test" -d 'Prove that concurrent access loses nothing here, and say how fast it is'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "watch" -d 'Watch who holds databases and who waits, as it happens'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "stats" -d 'Say how often locks were had, waited for and missed'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "wait" -d 'Wait until the locks could be had'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "acquire" -d 'Take locks for the steps of a script, and return'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "release" -d 'Give back locks that `dbguard acquire` took'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "unlock" -d 'End the processes that hold a database'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "update" -d 'Change a file by a command, under its lock and in one step'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "path" -d 'Print the file that is locked for a database'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "completions" -d 'Print the completions for a shell'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "man" -d 'Print a page of the manual'
complete -c dbguard -n "__fish_dbguard_using_subcommand help; and not __fish_seen_subcommand_from exec sql info fix test watch stats wait acquire release unlock update path completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
