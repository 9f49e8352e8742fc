# Completion of xe in bash: commands, parameters, and the values that the pool has now.
# Lies in /usr/share/bash-completion/completions/xe, or is read with `source`.
#
# It asks xe itself: `help --minimal --all` and `help <command>`, which need no server, and `<kind>-list --minimal`,
# with the server and user of the line that is being typed.

# Asks xe with the connection of the line.
_xe_ask() {
    "${_xe_program:-xe}" "$@" "${_xe_connection[@]}" 2>/dev/null </dev/null
}

# Splits the comma separated list on standard input into _xe_list; `\,` and `\\` are characters of a value.
_xe_split() {
    _xe_list=()
    local text value='' c i
    IFS= read -r -d '' text || true
    text=${text%$'\n'}
    [[ -n $text ]] || return 0
    for ((i = 0; i < ${#text}; i++)); do
        c=${text:i:1}
        case $c in
            '\') ((i++)); value+=${text:i:1} ;;
            ',') _xe_list+=("$value"); value='' ;;
            *) value+=$c ;;
        esac
    done
    _xe_list+=("$value")
}

# One field of every object of a kind, into _xe_list.
_xe_field() {
    _xe_split < <(_xe_ask "$1-list" "params=$2" --minimal ${3:+"$3"})
}

# The required and optional parameters of a command, one a line.
_xe_parameters() {
    _xe_ask help "$1" |
        sed -n -e 's/^ *reqd params *: //p' -e 's/^ *optional params *: //p' |
        tr ',' '\n' | sed -e 's/^ *//' -e '/^$/d'
}

# The kind that a command is about: the longest beginning of its name that can be listed.
_xe_kind() {
    local name=$1 all=$2
    while [[ $name == *-* ]]; do
        name=${name%-*}
        # host-param-list is no list of host-params.
        if [[ $name != *-param && $'\n'$all$'\n' == *$'\n'"$name-list"$'\n'* ]]; then
            printf '%s' "$name"
            return
        fi
    done
}

# Offers those of the values that begin with the text.
_xe_offer() {
    local text=$1 value
    shift
    for value in "$@"; do
        [[ $value == "$text"* ]] && COMPREPLY+=("$value")
    done
}

# Offers uuids; several come with the names of what they mean.
_xe_offer_uuids() {
    local kind=$1 text=$2 uuids i
    _xe_field "$kind" uuid --all
    uuids=("${_xe_list[@]}")
    _xe_offer "$text" "${uuids[@]}"
    ((${#COMPREPLY[@]} > 1)) || return 0
    _xe_field "$kind" name-label --all
    ((${#_xe_list[@]} == ${#uuids[@]})) || return 0
    COMPREPLY=()
    for ((i = 0; i < ${#uuids[@]}; i++)); do
        [[ ${uuids[i]} == "$text"* ]] && COMPREPLY+=("${uuids[i]}  (${_xe_list[i]})")
    done
    _xe_hinted=1
}

# Offers the names of a kind's objects, and uuids to who has begun one.
_xe_offer_names() {
    local kind=$1 text=$2
    _xe_field "$kind" name-label
    _xe_offer "$text" "${_xe_list[@]}"
    if ((${#COMPREPLY[@]} == 0)) && [[ $text == [0-9a-f]* ]]; then
        _xe_offer_uuids "$kind" "$text"
    fi
}

# Offers names of fields of a kind.
_xe_offer_fields() {
    local kind=$1 text=$2
    shift 2
    local names
    mapfile -t names < <(_xe_parameters "$kind-list" | grep -v -e ':' -e '^params$')
    _xe_offer "$text" "${names[@]}" "$@"
}

# Offers values for the parameter that is being typed.
_xe_value() {
    local command=$1 name=$2 text=$3 all=$4 kind
    case $name in
        filename | file-name | license-file | certificate | private-key | certificate-chain | certificate-file)
            mapfile -t COMPREPLY < <(compgen -f -- "$text")
            ;;
        uuid)
            case $command in
                diagnostic-vm-status) kind=vm ;;
                diagnostic-vdi-status) kind=vdi ;;
                host-get-* | host-*) kind=$(_xe_kind "$command" "$all") ;;
                *) kind=$(_xe_kind "$command" "$all") ;;
            esac
            [[ -n $kind ]] && _xe_offer_uuids "$kind" "$text"
            ;;
        vm) _xe_offer_names vm "$text" ;;
        host | on | host-name) _xe_offer_names host "$text" ;;
        sr | sr-name-label) _xe_offer_names sr "$text" ;;
        template | template-name | template-name-label) _xe_offer_names template "$text" ;;
        cd-name)
            _xe_split < <(_xe_ask cd-list params=name-label --minimal)
            _xe_offer "$text" "${_xe_list[@]}"
            ;;
        default-SR | crash-dump-SR | suspend-image-SR) _xe_offer_uuids sr "$text" ;;
        copy-bios-strings-from) _xe_offer_uuids host "$text" ;;
        params | vbd-params | vdi-params)
            kind=${name%-params}
            [[ $name == params ]] && kind=$(_xe_kind "$command" "$all")
            # Only what stands behind the last comma is being typed.
            local before=''
            [[ $text == *,* ]] && before=${text%,*},
            _xe_offer_fields "$kind" "${text##*,}" all
            COMPREPLY=("${COMPREPLY[@]/#/$before}")
            ;;
        param-name) _xe_offer_fields "$(_xe_kind "$command" "$all")" "$text" ;;
        class) _xe_offer "$text" vm vdi sr host network vif pif vbd pbd pool task subject role secret vmss ;;
        mode)
            case $command in
                pif-reconfigure-ip) _xe_offer "$text" dhcp static none ;;
                pif-reconfigure-ipv6) _xe_offer "$text" dhcp static none autoconf ;;
                bond-*) _xe_offer "$text" balance-slb active-backup lacp ;;
                vbd-*) _xe_offer "$text" RO RW ;;
            esac
            ;;
        type)
            case $command in
                sr-*) _xe_field sm type; _xe_offer "$text" "${_xe_list[@]}" ;;
                vbd-*) _xe_offer "$text" Disk CD ;;
                vdi-*) _xe_offer "$text" system user suspend crashdump ;;
            esac
            ;;
        compress) _xe_offer "$text" true false gzip zstd ;;
        format) _xe_offer "$text" raw vhd qcow2 ;;
        role-name) _xe_offer "$text" pool-admin pool-operator vm-power-admin vm-admin vm-operator read-only ;;
        edition)
            _xe_split < <(_xe_ask host-all-editions --minimal)
            _xe_offer "$text" "${_xe_list[@]}"
            ;;
        heartbeat-sr-uuids | pif-uuids | host-uuids | ignore-vdi-uuids)
            kind=${name%-uuids}
            kind=${kind##*-}
            local before=''
            [[ $text == *,* ]] && before=${text%,*},
            _xe_field "$kind" uuid
            _xe_offer "${text##*,}" "${_xe_list[@]}"
            COMPREPLY=("${COMPREPLY[@]/#/$before}")
            ;;
        *-uuid)
            kind=${name%-uuid}
            # base-vdi-uuid, vdi-from-uuid: some part of the name is a kind.
            while [[ -n $kind && $'\n'$all$'\n' != *$'\n'"$kind-list"$'\n'* ]]; do
                [[ $kind == *-* ]] || { kind=''; break; }
                if [[ $'\n'$all$'\n' == *$'\n'"${kind##*-}-list"$'\n'* ]]; then
                    kind=${kind##*-}
                else
                    kind=${kind%-*}
                fi
            done
            [[ -n $kind ]] && _xe_offer_uuids "$kind" "$text"
            ;;
        *)
            # The values that a field has now, each once.
            kind=$(_xe_kind "$command" "$all")
            [[ $command == *-list || $kind == vm || $kind == host || $kind == sr ]] || return 0
            _xe_field "$kind" "$name"
            local values
            mapfile -t values < <(printf '%s\n' "${_xe_list[@]}" | sort -u | sed '/^$/d')
            _xe_offer "$text" "${values[@]}"
            ;;
    esac
}

_xe() {
    COMPREPLY=()
    local line=${COMP_LINE:0:COMP_POINT} words word current command='' all i
    local _xe_hinted=0 _xe_list=() _xe_connection=() _xe_program
    # By our own rules, since bash takes words apart at `=` and `:`.
    IFS=' ' read -r -a words <<<"$line"
    _xe_program=${words[0]}
    current=''
    if [[ $line != *' ' ]]; then
        current=${words[-1]}
        unset 'words[-1]'
    elif [[ $line == *'\ ' ]]; then
        current=${words[-1]}' '
        unset 'words[-1]'
    fi
    # A space behind a backslash belongs to the word.
    while ((${#words[@]} > 1)) && [[ ${words[-1]} == *'\' ]]; do
        current="${words[-1]} $current"
        unset 'words[-1]'
    done
    for ((i = 1; i < ${#words[@]}; i++)); do
        word=${words[i]}
        case $word in
            -s | -p | -u | -pw | -pwf | -h | --ca)
                _xe_connection+=("$word" "${words[i + 1]}")
                ((i++))
                ;;
            --nossl) _xe_connection+=("$word") ;;
            server=* | port=* | username=* | password=*) _xe_connection+=("$word") ;;
            -*) ;;
            *) [[ -z $command ]] && command=$word ;;
        esac
    done
    all=$(_xe_ask help --minimal --all | tr ',' '\n')
    compopt -o nospace 2>/dev/null
    if [[ -z $command || $command == help ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$all" -- "$current")
        ((${#COMPREPLY[@]} == 1)) && COMPREPLY=("${COMPREPLY[0]} ")
    elif [[ $current == *=* ]]; then
        local name=${current%%=*} text=${current#*=}
        text=${text//\\/}
        _xe_value "$command" "$name" "$text" "$all"
        # bash replaces only what stands behind the last of its own separators.
        local keep=${text%"${text##*[:=]}"}
        for i in "${!COMPREPLY[@]}"; do
            ((_xe_hinted)) && continue
            printf -v word '%q' "${COMPREPLY[i]#"$keep"}"
            COMPREPLY[i]=${word//\\,/,}
        done
        ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} != */ ]] && COMPREPLY=("${COMPREPLY[0]} ")
    elif [[ $current == --* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--minimal --multiple --force --all --live --progress' -- "$current")
    else
        local parameters reply=()
        mapfile -t parameters < <(_xe_parameters "$command")
        for word in "${parameters[@]}"; do
            case $word in
                '<vm-selectors>') reply+=(vm= uuid= name-label= power-state=) ;;
                '<host-selectors>') reply+=(host= uuid= name-label=) ;;
                '<sr-selectors>') reply+=(sr= uuid= name-label=) ;;
                *:contains) reply+=("$word=") ;;
                *: | *-) reply+=("$word") ;;
                *) reply+=("$word=") ;;
            esac
        done
        _xe_offer "$current" "${reply[@]}"
        local keep=${current%"${current##*[:=]}"}
        COMPREPLY=("${COMPREPLY[@]#"$keep"}")
    fi
}

complete -F _xe xe
