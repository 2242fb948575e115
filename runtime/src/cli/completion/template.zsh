#compdef @PROGRAM@
# Completions of @PROGRAM@ for zsh, made of its tables of commands and flags.

# The ids of the containers below the state root.
_@PROGRAM@_containers() {
    local directory=$root
    if [[ -z $directory ]]; then
        directory=@ROOT@
@USER_ROOT@
    fi
    local -a ids=($~directory/*/state.json(N:h:t))
    compadd "$@" -a ids
}

_@PROGRAM@_containers_or_directories() {
    _@PROGRAM@_containers "$@"
    _files -/
}

_@PROGRAM@() {
    local curcontext=$curcontext state root
    local -a line
    local -A opt_args
    _arguments -C -A '-*' \
@FLAGS@
        '1:command:->command' '*::argument:->argument' && return
    root=${(Q)opt_args[--root]}
    case $state in
    command)
        local -a commands=(
@COMMANDS@
        )
        _describe -t commands command commands
        ;;
    argument)
        case $line[1] in
@ARGUMENTS@
        esac
        ;;
    esac
}

# Sourced, it is known from now on; found in $fpath, it is called for the first time here.
if [[ $funcstack[1] == _@PROGRAM@ ]]; then
    _@PROGRAM@ "$@"
else
    compdef _@PROGRAM@ @PROGRAM@
fi
