# What catgpt can be told, for bash. In ~/.bashrc: source <(catgpt completions bash)
_catgpt() {
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("${candidate%%$'\t'*}")
    done < <("${1:-catgpt}" __complete --line="$2" -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    # A folder goes on.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o default -o nosort -F _catgpt catgpt
