# Turns JSON into lines "path<TAB>value"; members of lists are numbered from 0. Enough for the node's
# own seed files: of the escapes in strings it knows \" \\ \/ and leaves the others as they are.
{ text = text $0 "\n" }
END { at = 1; value("") }

function skip() { while (substr(text, at, 1) ~ /[ \t\r\n,:]/) at++ }

function string(    out, letter) {
    at++
    while ((letter = substr(text, at++, 1)) != "\"" && letter != "") {
        if (letter == "\\" && substr(text, at, 1) ~ /["\\\/]/)
            letter = substr(text, at++, 1)
        out = out letter
    }
    return out
}

function value(path,    start, name, index_in_list) {
    skip()
    start = substr(text, at, 1)
    if (start == "{") {
        at++
        for (skip(); substr(text, at, 1) == "\""; skip()) {
            name = string()
            value(path == "" ? name : path "/" name)
        }
        at++
    } else if (start == "[") {
        at++
        index_in_list = 0
        for (skip(); at <= length(text) && substr(text, at, 1) != "]"; skip())
            value(path "/" index_in_list++)
        at++
    } else if (start == "\"") {
        print path "\t" string()
    } else {
        name = ""
        while (at <= length(text) && substr(text, at, 1) !~ /[][{},: \t\r\n]/)
            name = name substr(text, at++, 1)
        if (name == "")
            at++
        else
            print path "\t" name
    }
}
