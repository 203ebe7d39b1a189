
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'dbguard' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'dbguard'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'dbguard' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run a command alone on a database')
            [CompletionResult]::new('sql', 'sql', [CompletionResultType]::ParameterValue, 'Run SQL on a database under its lock')
            [CompletionResult]::new('info', 'info', [CompletionResultType]::ParameterValue, 'Say who holds a database, who waits, and what is blocked')
            [CompletionResult]::new('fix', 'fix', [CompletionResultType]::ParameterValue, 'Clear what dead processes left behind, and nothing else')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Prove that concurrent access loses nothing here, and say how fast it is')
            [CompletionResult]::new('watch', 'watch', [CompletionResultType]::ParameterValue, 'Watch who holds databases and who waits, as it happens')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Say how often locks were had, waited for and missed')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait until the locks could be had')
            [CompletionResult]::new('acquire', 'acquire', [CompletionResultType]::ParameterValue, 'Take locks for the steps of a script, and return')
            [CompletionResult]::new('release', 'release', [CompletionResultType]::ParameterValue, 'Give back locks that `dbguard acquire` took')
            [CompletionResult]::new('unlock', 'unlock', [CompletionResultType]::ParameterValue, 'End the processes that hold a database')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a file by a command, under its lock and in one step')
            [CompletionResult]::new('path', 'path', [CompletionResultType]::ParameterValue, 'Print the file that is locked for a database')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a page of the manual')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'dbguard;exec' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Run STRING in the shell instead of COMMAND')
            [CompletionResult]::new('--command', '--command', [CompletionResultType]::ParameterName, 'Run STRING in the shell instead of COMMAND')
            [CompletionResult]::new('--max-hold', '--max-hold', [CompletionResultType]::ParameterName, 'End the command when it has held the lock for DURATION, and exit with 123')
            [CompletionResult]::new('--kill-after', '--kill-after', [CompletionResultType]::ParameterName, 'How long after --max-hold''s TERM signal KILL is sent [default: 10s]')
            [CompletionResult]::new('--fd', '--fd', [CompletionResultType]::ParameterName, 'Lock the open file descriptor N for the calling process instead of running a command')
            [CompletionResult]::new('--retry', '--retry', [CompletionResultType]::ParameterName, 'Run the command again, up to N times, when it failed because the database was busy')
            [CompletionResult]::new('--retry-exit', '--retry-exit', [CompletionResultType]::ParameterName, 'The exit codes that mean busy, as a list or ranges [default: 5,6,75]')
            [CompletionResult]::new('--status-file', '--status-file', [CompletionResultType]::ParameterName, 'Write what happened to PATH as JSON')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Lock only the part of the database called NAME, such as a tenant or a shard')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Lock only the part of the database called NAME, such as a tenant or a shard')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]')
            [CompletionResult]::new('-E', '-E ', [CompletionResultType]::ParameterName, 'Exit with N instead of 75 or 124 when the lock was not obtained')
            [CompletionResult]::new('--conflict-exit-code', '--conflict-exit-code', [CompletionResultType]::ParameterName, 'Exit with N instead of 75 or 124 when the lock was not obtained')
            [CompletionResult]::new('--max-waiters', '--max-waiters', [CompletionResultType]::ParameterName, 'Fail if N others already wait for the lock')
            [CompletionResult]::new('--native', '--native', [CompletionResultType]::ParameterName, 'What to do when the database engine''s own locks are in the way [default: wait]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Keep the lock''s files in DIR instead of .dbguard beside the database')
            [CompletionResult]::new('--lock-file', '--lock-file', [CompletionResultType]::ParameterName, 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it')
            [CompletionResult]::new('--label', '--label', [CompletionResultType]::ParameterName, 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Become the command instead of starting it')
            [CompletionResult]::new('--no-fork', '--no-fork', [CompletionResultType]::ParameterName, 'Become the command instead of starting it')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Keep the lock from the command: it is released when dbguard ends, even if killed')
            [CompletionResult]::new('--close', '--close', [CompletionResultType]::ParameterName, 'Keep the lock from the command: it is released when dbguard ends, even if killed')
            [CompletionResult]::new('--hold-descendants', '--hold-descendants', [CompletionResultType]::ParameterName, 'Hold the lock until every process that the command started has ended')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'With --fd: release the lock instead of taking it')
            [CompletionResult]::new('--unlock', '--unlock', [CompletionResultType]::ParameterName, 'With --fd: release the lock instead of taking it')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Take the lock shared: others that ask for it shared may hold it too')
            [CompletionResult]::new('--shared', '--shared', [CompletionResultType]::ParameterName, 'Take the lock shared: others that ask for it shared may hold it too')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Take the lock alone (the default; in sql the statements decide)')
            [CompletionResult]::new('--exclusive', '--exclusive', [CompletionResultType]::ParameterName, 'Take the lock alone (the default; in sql the statements decide)')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Fail instead of waiting, whatever -w says')
            [CompletionResult]::new('--nonblock', '--nonblock', [CompletionResultType]::ParameterName, 'Fail instead of waiting, whatever -w says')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;sql' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read the statements from PATH')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read the statements from PATH')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Give the parameter NAME a value')
            [CompletionResult]::new('--param', '--param', [CompletionResultType]::ParameterName, 'Give the parameter NAME a value')
            [CompletionResult]::new('--if', '--if', [CompletionResultType]::ParameterName, 'Run the batch only if the first value of this query is true, else exit with 1')
            [CompletionResult]::new('--create', '--create', [CompletionResultType]::ParameterName, 'Make the database if FILE does not exist: of ENGINE, or the one that its name suggests')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'Try a busy batch again up to N times [default: inf, until -w is over]')
            [CompletionResult]::new('--retry-delay', '--retry-delay', [CompletionResultType]::ParameterName, 'The longest pause before the first retry, which doubles each time [default: 20ms]')
            [CompletionResult]::new('--retry-max-delay', '--retry-max-delay', [CompletionResultType]::ParameterName, 'The longest pause between two tries [default: 2s]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print rows [default: table on a terminal, else csv]')
            [CompletionResult]::new('--null', '--null', [CompletionResultType]::ParameterName, 'What to print for NULL [default: nothing in csv and tsv, else NULL]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write the rows to PATH instead of standard output, all of them or nothing')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Lock only the part of the database called NAME, such as a tenant or a shard')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Lock only the part of the database called NAME, such as a tenant or a shard')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]')
            [CompletionResult]::new('-E', '-E ', [CompletionResultType]::ParameterName, 'Exit with N instead of 75 or 124 when the lock was not obtained')
            [CompletionResult]::new('--conflict-exit-code', '--conflict-exit-code', [CompletionResultType]::ParameterName, 'Exit with N instead of 75 or 124 when the lock was not obtained')
            [CompletionResult]::new('--max-waiters', '--max-waiters', [CompletionResultType]::ParameterName, 'Fail if N others already wait for the lock')
            [CompletionResult]::new('--native', '--native', [CompletionResultType]::ParameterName, 'What to do when the database engine''s own locks are in the way [default: wait]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Keep the lock''s files in DIR instead of .dbguard beside the database')
            [CompletionResult]::new('--lock-file', '--lock-file', [CompletionResultType]::ParameterName, 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it')
            [CompletionResult]::new('--label', '--label', [CompletionResultType]::ParameterName, 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('--wal', '--wal', [CompletionResultType]::ParameterName, 'Switch a SQLite database to write-ahead logging first, if it is not there yet')
            [CompletionResult]::new('--no-transaction', '--no-transaction', [CompletionResultType]::ParameterName, 'Run every statement for itself instead of all in one transaction')
            [CompletionResult]::new('--no-header', '--no-header', [CompletionResultType]::ParameterName, 'Leave the names of the columns out')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Take the lock shared: others that ask for it shared may hold it too')
            [CompletionResult]::new('--shared', '--shared', [CompletionResultType]::ParameterName, 'Take the lock shared: others that ask for it shared may hold it too')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Take the lock alone (the default; in sql the statements decide)')
            [CompletionResult]::new('--exclusive', '--exclusive', [CompletionResultType]::ParameterName, 'Take the lock alone (the default; in sql the statements decide)')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Fail instead of waiting, whatever -w says')
            [CompletionResult]::new('--nonblock', '--nonblock', [CompletionResultType]::ParameterName, 'Fail instead of waiting, whatever -w says')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;info' {
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Answer by the exit code: 0 if no lock keeps MODE out now, 1 if one does or none can be seen')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Look at the part of the database called NAME')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Look at the part of the database called NAME')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Where the lock''s files are, if not in .dbguard beside the database')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('--openers', '--openers', [CompletionResultType]::ParameterName, 'Also list who merely has the database open')
            [CompletionResult]::new('--cross-file-systems', '--cross-file-systems', [CompletionResultType]::ParameterName, 'In a directory, go into other file systems too')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;fix' {
            [CompletionResult]::new('--backup', '--backup', [CompletionResultType]::ParameterName, 'Before a database is brought in order, copy its logs and journals to DIR')
            [CompletionResult]::new('--assume-stale', '--assume-stale', [CompletionResultType]::ParameterName, 'Take locks of FORMAT that name nobody for stale at AGE, 60 s or more')
            [CompletionResult]::new('--pattern', '--pattern', [CompletionResultType]::ParameterName, 'Read files called like GLOB as PID files, too; whatever holds a number alone is one then')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Clean the state in DIR instead of that beside the databases')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Change nothing and say what would be done; exit with 1 if anything would')
            [CompletionResult]::new('--no-recover', '--no-recover', [CompletionResultType]::ParameterName, 'Leave databases alone')
            [CompletionResult]::new('--cross-file-systems', '--cross-file-systems', [CompletionResultType]::ParameterName, 'Go into other file systems too')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Exit with 1 also if something is left that nobody can judge')
            [CompletionResult]::new('--list-formats', '--list-formats', [CompletionResultType]::ParameterName, 'List the formats of lock files that are known, and what is done about each')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;test' {
            [CompletionResult]::new('--workers', '--workers', [CompletionResultType]::ParameterName, 'How many workers there are, each with one process at a time [default: 4]')
            [CompletionResult]::new('--ops', '--ops', [CompletionResultType]::ParameterName, 'How many operations each worker does [default: 50]')
            [CompletionResult]::new('--duration', '--duration', [CompletionResultType]::ParameterName, 'Let the workers go on for DURATION, instead of a number of operations')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'What an operation is [default: mixed, for a plain file exec]')
            [CompletionResult]::new('--readers', '--readers', [CompletionResultType]::ParameterName, 'How many more read all the time, under the shared lock [default: 0]')
            [CompletionResult]::new('--fs', '--fs', [CompletionResultType]::ParameterName, 'Only try out whether locks work in DIR: between two processes, on a new file')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'How long each operation waits for the lock [default: 10m, or DBGUARD_TIMEOUT]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long each operation waits for the lock [default: 10m, or DBGUARD_TIMEOUT]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Keep the locks'' files below DIR, to prove that they can be there')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('--in-place', '--in-place', [CompletionResultType]::ParameterName, 'Count in FILE itself, in a table of its own that is dropped in the end')
            [CompletionResult]::new('--compare', '--compare', [CompletionResultType]::ParameterName, 'Do the same work without dbguard as well, and print both side by side')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;watch' {
            [CompletionResult]::new('--interval', '--interval', [CompletionResultType]::ParameterName, 'Look once every DURATION, at least 50ms [default: 1s]')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'End with 0 as soon as all of them are free, or one of them is held')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'With --until, give up after DURATION and exit with 124 [default: inf]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'With --until, give up after DURATION and exit with 124 [default: inf]')
            [CompletionResult]::new('--events', '--events', [CompletionResultType]::ParameterName, 'Tell only these events, separated by commas, to standard output and to --exec')
            [CompletionResult]::new('--exec', '--exec', [CompletionResultType]::ParameterName, 'Run the shell command CMD for each event, with the event on its standard input')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Where the locks'' files are, if not in .dbguard beside the databases')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('--fix', '--fix', [CompletionResultType]::ParameterName, 'When a holder has died, clear what he left, as `dbguard fix FILE` does')
            [CompletionResult]::new('--cross-file-systems', '--cross-file-systems', [CompletionResultType]::ParameterName, 'In a directory, go into other file systems too')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;stats' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print them [default: text, or json with --json]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to FILE, which is replaced at once or not at all')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Where the locks'' files are, if not in .dbguard beside the database')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('--reset', '--reset', [CompletionResultType]::ParameterName, 'Forget what was counted, and print it one last time: no grant is lost or counted twice')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;wait' {
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Lock only the part of the database called NAME, such as a tenant or a shard')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Lock only the part of the database called NAME, such as a tenant or a shard')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]')
            [CompletionResult]::new('-E', '-E ', [CompletionResultType]::ParameterName, 'Exit with N instead of 75 or 124 when the lock was not obtained')
            [CompletionResult]::new('--conflict-exit-code', '--conflict-exit-code', [CompletionResultType]::ParameterName, 'Exit with N instead of 75 or 124 when the lock was not obtained')
            [CompletionResult]::new('--max-waiters', '--max-waiters', [CompletionResultType]::ParameterName, 'Fail if N others already wait for the lock')
            [CompletionResult]::new('--native', '--native', [CompletionResultType]::ParameterName, 'What to do when the database engine''s own locks are in the way [default: wait]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Keep the lock''s files in DIR instead of .dbguard beside the database')
            [CompletionResult]::new('--lock-file', '--lock-file', [CompletionResultType]::ParameterName, 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it')
            [CompletionResult]::new('--label', '--label', [CompletionResultType]::ParameterName, 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Take the lock shared: others that ask for it shared may hold it too')
            [CompletionResult]::new('--shared', '--shared', [CompletionResultType]::ParameterName, 'Take the lock shared: others that ask for it shared may hold it too')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Take the lock alone (the default; in sql the statements decide)')
            [CompletionResult]::new('--exclusive', '--exclusive', [CompletionResultType]::ParameterName, 'Take the lock alone (the default; in sql the statements decide)')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Fail instead of waiting, whatever -w says')
            [CompletionResult]::new('--nonblock', '--nonblock', [CompletionResultType]::ParameterName, 'Fail instead of waiting, whatever -w says')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;acquire' {
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Lock only the part of the database called NAME, such as a tenant or a shard')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Lock only the part of the database called NAME, such as a tenant or a shard')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]')
            [CompletionResult]::new('-E', '-E ', [CompletionResultType]::ParameterName, 'Exit with N instead of 75 or 124 when the lock was not obtained')
            [CompletionResult]::new('--conflict-exit-code', '--conflict-exit-code', [CompletionResultType]::ParameterName, 'Exit with N instead of 75 or 124 when the lock was not obtained')
            [CompletionResult]::new('--max-waiters', '--max-waiters', [CompletionResultType]::ParameterName, 'Fail if N others already wait for the lock')
            [CompletionResult]::new('--native', '--native', [CompletionResultType]::ParameterName, 'What to do when the database engine''s own locks are in the way [default: wait]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Keep the lock''s files in DIR instead of .dbguard beside the database')
            [CompletionResult]::new('--lock-file', '--lock-file', [CompletionResultType]::ParameterName, 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it')
            [CompletionResult]::new('--label', '--label', [CompletionResultType]::ParameterName, 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'Keep the locks for DURATION at most, counted from now on, also while the machine sleeps [default: 5m; inf with --for-pid]')
            [CompletionResult]::new('--for-pid', '--for-pid', [CompletionResultType]::ParameterName, 'Keep the locks until process PID ends, such as the shell: `--for-pid $$`')
            [CompletionResult]::new('--export', '--export', [CompletionResultType]::ParameterName, 'Print lines for a shell to eval, or write to the file that GITHUB_ENV names, for the steps that follow')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Take the lock shared: others that ask for it shared may hold it too')
            [CompletionResult]::new('--shared', '--shared', [CompletionResultType]::ParameterName, 'Take the lock shared: others that ask for it shared may hold it too')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Take the lock alone (the default; in sql the statements decide)')
            [CompletionResult]::new('--exclusive', '--exclusive', [CompletionResultType]::ParameterName, 'Take the lock alone (the default; in sql the statements decide)')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Fail instead of waiting, whatever -w says')
            [CompletionResult]::new('--nonblock', '--nonblock', [CompletionResultType]::ParameterName, 'Fail instead of waiting, whatever -w says')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;release' {
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'What `dbguard acquire` printed [default: the value of DBGUARD_TOKEN]')
            [CompletionResult]::new('--extend', '--extend', [CompletionResultType]::ParameterName, 'Keep the locks, and end them DURATION from now instead')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Give up after DURATION, if commands that joined still run [default: 30s]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after DURATION, if commands that joined still run [default: 30s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Look for the lock''s files in DIR instead of .dbguard beside the database')
            [CompletionResult]::new('--lock-file', '--lock-file', [CompletionResultType]::ParameterName, 'The lock file, if one was named to `dbguard acquire`')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;unlock' {
            [CompletionResult]::new('--holder', '--holder', [CompletionResultType]::ParameterName, 'Which holders are ended [default: any; with --key: guard]')
            [CompletionResult]::new('--kill-after', '--kill-after', [CompletionResultType]::ParameterName, 'How long after TERM they are killed: a duration, or inf for never [default: 10s]')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Give up if FILE is not free DURATION after the last signal [default: 30s]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up if FILE is not free DURATION after the last signal [default: 30s]')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Only what keeps others from the part of the database called NAME; engines know no parts')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Only what keeps others from the part of the database called NAME; engines know no parts')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Where the locks'' files are, if not in .dbguard beside the database')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'End them without asking')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'End them without asking')
            [CompletionResult]::new('--continue', '--continue', [CompletionResultType]::ParameterName, 'Let stopped processes go on before TERM, which they do not hear otherwise')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;update' {
            [CompletionResult]::new('--if-sha256', '--if-sha256', [CompletionResultType]::ParameterName, 'Change nothing, and exit with 1, unless the SHA-256 of FILE is H')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]')
            [CompletionResult]::new('-E', '-E ', [CompletionResultType]::ParameterName, 'Exit with N instead of 75 or 124 when the lock was not obtained')
            [CompletionResult]::new('--conflict-exit-code', '--conflict-exit-code', [CompletionResultType]::ParameterName, 'Exit with N instead of 75 or 124 when the lock was not obtained')
            [CompletionResult]::new('--max-waiters', '--max-waiters', [CompletionResultType]::ParameterName, 'Fail if N others already wait for the lock')
            [CompletionResult]::new('--native', '--native', [CompletionResultType]::ParameterName, 'What to do when the database engine''s own locks are in the way [default: wait]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Keep the lock''s files in DIR instead of .dbguard beside the database')
            [CompletionResult]::new('--lock-file', '--lock-file', [CompletionResultType]::ParameterName, 'Lock PATH itself, as `flock PATH` does, and keep the queue beside it')
            [CompletionResult]::new('--label', '--label', [CompletionResultType]::ParameterName, 'Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Lock only the part of the database called NAME, such as a tenant or a shard')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Lock only the part of the database called NAME, such as a tenant or a shard')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('--create', '--create', [CompletionResultType]::ParameterName, 'Make FILE if it is missing; COMMAND then reads nothing')
            [CompletionResult]::new('--batch', '--batch', [CompletionResultType]::ParameterName, 'Change several FILEs: COMMAND gets copies of them as its last arguments')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Fail instead of waiting, whatever -w says')
            [CompletionResult]::new('--nonblock', '--nonblock', [CompletionResultType]::ParameterName, 'Fail instead of waiting, whatever -w says')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Take the lock shared: others that ask for it shared may hold it too')
            [CompletionResult]::new('--shared', '--shared', [CompletionResultType]::ParameterName, 'Take the lock shared: others that ask for it shared may hold it too')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Take the lock alone (the default; in sql the statements decide)')
            [CompletionResult]::new('--exclusive', '--exclusive', [CompletionResultType]::ParameterName, 'Take the lock alone (the default; in sql the statements decide)')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;path' {
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Print the file of the part of the database called NAME')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Print the file of the part of the database called NAME')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'Keep the lock''s files in DIR instead of .dbguard beside the database')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('--no-create', '--no-create', [CompletionResultType]::ParameterName, 'Print the path and make nothing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;completions' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;man' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [default: auto]')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON: the answer on standard output, an error on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no warnings, no hints and nothing about waiting')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say how long it took to obtain the lock; twice: log what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'dbguard;help' {
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run a command alone on a database')
            [CompletionResult]::new('sql', 'sql', [CompletionResultType]::ParameterValue, 'Run SQL on a database under its lock')
            [CompletionResult]::new('info', 'info', [CompletionResultType]::ParameterValue, 'Say who holds a database, who waits, and what is blocked')
            [CompletionResult]::new('fix', 'fix', [CompletionResultType]::ParameterValue, 'Clear what dead processes left behind, and nothing else')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Prove that concurrent access loses nothing here, and say how fast it is')
            [CompletionResult]::new('watch', 'watch', [CompletionResultType]::ParameterValue, 'Watch who holds databases and who waits, as it happens')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Say how often locks were had, waited for and missed')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait until the locks could be had')
            [CompletionResult]::new('acquire', 'acquire', [CompletionResultType]::ParameterValue, 'Take locks for the steps of a script, and return')
            [CompletionResult]::new('release', 'release', [CompletionResultType]::ParameterValue, 'Give back locks that `dbguard acquire` took')
            [CompletionResult]::new('unlock', 'unlock', [CompletionResultType]::ParameterValue, 'End the processes that hold a database')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a file by a command, under its lock and in one step')
            [CompletionResult]::new('path', 'path', [CompletionResultType]::ParameterValue, 'Print the file that is locked for a database')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a page of the manual')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'dbguard;help;exec' {
            break
        }
        'dbguard;help;sql' {
            break
        }
        'dbguard;help;info' {
            break
        }
        'dbguard;help;fix' {
            break
        }
        'dbguard;help;test' {
            break
        }
        'dbguard;help;watch' {
            break
        }
        'dbguard;help;stats' {
            break
        }
        'dbguard;help;wait' {
            break
        }
        'dbguard;help;acquire' {
            break
        }
        'dbguard;help;release' {
            break
        }
        'dbguard;help;unlock' {
            break
        }
        'dbguard;help;update' {
            break
        }
        'dbguard;help;path' {
            break
        }
        'dbguard;help;completions' {
            break
        }
        'dbguard;help;man' {
            break
        }
        'dbguard;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
