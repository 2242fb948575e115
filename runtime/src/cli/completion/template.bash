# Completions of @PROGRAM@ for bash, made of its tables of commands and flags.

# What a command takes; the one without a name is the program itself.
_@PROGRAM@_command() {
    flags= operands=() flags_first=
    case $1 in
@COMMANDS@
    *) return 1 ;;
    esac
}

# What the value of a flag of a command is; nothing for a switch.
_@PROGRAM@_value() {
    case "$1 $2" in
@VALUES@
    *) value= ;;
    esac
}

# The ids of the containers below the state root.
_@PROGRAM@_containers() {
    local directory=${root/#\~/$HOME} file
    if [[ ! $directory ]]; then
        directory=@ROOT@
@USER_ROOT@
    fi
    for file in "$directory"/*/state.json; do
        if [[ -e $file ]]; then
            file=${file%/state.json}
            echo "${file##*/}"
        fi
    done
}

# Completes the word with what is known of it.
_@PROGRAM@_fill() {
    local found=
    case $1 in
    '' | -) return ;;
    @file) found=$(compgen -f -- "$current") ;;
    @directory) found=$(compgen -d -- "$current") ;;
    @container) found=$(compgen -W "$(_@PROGRAM@_containers)" -- "$current") ;;
    @container-or-directory)
        found=$(compgen -W "$(_@PROGRAM@_containers)" -- "$current"; compgen -d -- "$current")
        ;;
    *) found=$(compgen -W "$1" -- "$current") ;;
    esac
    case $1 in
    # Not known to a bash that calls this outside of a completion.
    @file | @*directory) compopt -o filenames 2>/dev/null ;;
    esac
    [[ ! $found ]] || mapfile -t COMPREPLY <<<"$found"
}

_@PROGRAM@() {
    local current=${COMP_WORDS[COMP_CWORD]} command= root= value= flags= flags_first=
    local operands=() at=1 seen=0 ended= word name
    COMPREPLY=()
    _@PROGRAM@_command ''
    while ((at < COMP_CWORD)); do
        word=${COMP_WORDS[at]}
        ((at += 1))
        if [[ $word == -- && ! $ended ]]; then
            ended=1
        elif [[ $word == -?* && ! $ended ]]; then
            name=${word#-}
            name=${name#-}
            _@PROGRAM@_value "$command" "${name%%=*}"
            if [[ $name == *=* ]]; then
                [[ ! $command && $name == root=* ]] && root=${name#*=}
                continue
            fi
            # The line is split at an equals sign, too.
            if [[ ${COMP_WORDS[at]-} == = ]]; then
                value=${value:-true false}
                ((at += 1))
            fi
            [[ $value ]] || continue
            if ((at >= COMP_CWORD)); then
                [[ $current != = ]] || current=
                _@PROGRAM@_fill "$value"
                return
            fi
            [[ $command || $name != root ]] || root=${COMP_WORDS[at]}
            ((at += 1))
        elif [[ ! $command ]]; then
            command=$word
            _@PROGRAM@_command "$command" || return 0
            ended=
        else
            ((seen += 1))
            [[ ! $flags_first ]] || ended=1
        fi
    done
    if [[ $current == -* && ! $ended ]]; then
        _@PROGRAM@_fill "$flags"
    else
        _@PROGRAM@_fill "${operands[seen]-}"
    fi
}

complete -F _@PROGRAM@ @PROGRAM@
