# Completes a command line as an interactive zsh does: complete.zsh FILE LINE. FILE is the script of completions; what is
# offered goes to standard output, a line each. Run it with `zsh -f`, and with DUMP in the environment: a file of what zsh
# itself can complete, which takes a second to find out and is made if it is not there.
zmodload zsh/zpty
folder=$(mktemp -d)
cat >$folder/.zshrc <<'RC'
autoload -Uz compinit
compinit -C -u -d $DUMP
source $SCRIPT
bindkey '^I' complete-word
compadd() {
    # Those that only look what would match add nothing.
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a hits
    builtin compadd -A hits "$@"
    (( $#hits )) && print -rl -- $hits >>$OFFERED
    return $(( $#hits == 0 ))
}
comppostfuncs=(exit)
RC
export ZDOTDIR=$folder OFFERED=$folder/offered SCRIPT=${1:a} TERM=dumb
touch $OFFERED
zpty shell zsh -d -i
# Keys that are typed before the first prompt wait in the terminal.
zpty -w -n shell "$2"$'\t'
while zpty -r shell line; do said+=$line; done
[[ -s $OFFERED ]] || print -r -- $said >&2
sort -u $OFFERED
rm -rf $folder
