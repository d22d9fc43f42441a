# What catgpt can be told, for fish: catgpt completions fish > ~/.config/fish/completions/catgpt.fish
function __catgpt_complete
    set -l given (commandline -opc) (commandline -ct)
    set -l found (command $given[1] __complete -- $given 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c catgpt -f -k -a '(__catgpt_complete)'
