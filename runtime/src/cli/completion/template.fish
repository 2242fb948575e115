# Completions of @PROGRAM@ for fish, made of its tables of commands and flags.

# The flags that take a value, each after its command.
set -g __@PROGRAM@_valued @VALUED@

# Reads the line up to the word at hand: prints the command, the number of its arguments, and the state root.
function __@PROGRAM@_line
    set -l words (commandline -opc)
    set -l command ''
    set -l operands 0
    set -l root ''
    set -l flag ''
    for word in $words[2..]
        if test -n "$flag"
            test "$command $flag" = ' root'; and set root $word
            set flag ''
            continue
        end
        switch $word
            case --
                continue
            case '-*=*'
                if test -z "$command"; and string match -qr '^--?root=' -- $word
                    set root (string replace -r '^--?root=' '' -- $word)
                end
            case '-?*'
                set -l name (string replace -r '^--?' '' -- $word)
                contains -- "$command $name" $__@PROGRAM@_valued; and set flag $name
            case '*'
                if test -z "$command"
                    set command $word
                else
                    set operands (math $operands + 1)
                end
        end
    end
    printf '%s\n' "$command" $operands "$root"
end

# Whether the line is at a flag of this command.
function __@PROGRAM@_in
    set -l line (__@PROGRAM@_line)
    test "$line[1]" = "$argv[1]"
end

# Whether the line is at this argument of this command, counted from 0.
function __@PROGRAM@_at
    set -l line (__@PROGRAM@_line)
    test "$line[1]" = "$argv[1]"; and test $line[2] = $argv[2]
end

# The ids of the containers below the state root.
function __@PROGRAM@_containers
    set -l root (__@PROGRAM@_line)[3]
    if test -z "$root"
        set root @ROOT@
@USER_ROOT@
    end
    for file in $root/*/state.json
        string replace -r '^.*/([^/]*)/state\.json$' '$1' -- $file
    end
end

complete -c @PROGRAM@ -f
@LINES@
