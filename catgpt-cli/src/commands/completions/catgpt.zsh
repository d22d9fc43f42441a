#compdef catgpt
# What catgpt can be told, for zsh. In ~/.zshrc, after compinit: source <(catgpt completions zsh)
_catgpt() {
    local line tab=$'\t' colon='\:'
    local -a given described folders
    given=("${(@Q)words[1,CURRENT]}")
    while IFS= read -r line; do
        local value=${line%%$tab*} help=${line#*$tab}
        if [[ $value == */ ]]; then
            folders+=("$value")
        else
            described+=("${value//:/$colon}:$help")
        fi
    done < <("${given[1]:-catgpt}" __complete -- "${given[@]}" 2>/dev/null)
    (( $#folders )) && compadd -S '' -- "${folders[@]}"
    if (( $#described )); then
        _describe -V 'catgpt' described
    elif (( ! $#folders )); then
        _files
    fi
}
if [[ $funcstack[1] == _catgpt ]]; then
    _catgpt "$@"
elif (( $+functions[compdef] )); then
    compdef _catgpt catgpt
fi
