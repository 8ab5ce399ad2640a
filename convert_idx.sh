#!/usr/bin/env bash
# Turn EMNIST's idx-ubyte files into text: an image a line, 784 numbers 0..255, or a label a line.
#
#   ./convert_idx.sh [--force] [DATA_ROOT [SPLIT [FOLDER]]]
#
# Reads emnist-SPLIT-{train,test}-{images-idx3,labels-idx1}-ubyte, plain or .gz, in DATA_ROOT or
# DATA_ROOT/gzip, and writes each to FOLDER, named -txt. Default: DATA_ROOT is $DATA_ROOT or "data",
# SPLIT is balanced, FOLDER is DATA_ROOT. A text that exists is kept; --force replaces it, if its
# ubyte file is there. Exit status: 0 done, 1 a file is bad or missing, 2 wrong usage.
set -euo pipefail
usage="usage: ./convert_idx.sh [--force] [DATA_ROOT [SPLIT [FOLDER]]]"

fail() {
  echo "convert_idx.sh: $1" >&2
  exit "${2:-1}"
}

unpack() {
  gzip -dcf <"$1" 2>/dev/null # with -f, what is not gzip comes as it is
}

# check FILE KIND MAGIC HEADER ITEM: refuses what is not a header of so many bytes, then its items.
check() {
  local file=$1 kind=$2 magic=$3 header_size=$4 item_size=$5 again="get the file again" size header
  [ ! -d "$file" ] || fail "$file: a folder, expected a file; move the file out of the folder"
  [ -r "$file" ] || fail "$file: cannot be read; check its permissions"
  [ -s "$file" ] || fail "$file: empty; $again"
  size=$(unpack "$file" | wc -c | tr -d ' ') || fail "$file: damaged gzip; $again"
  header=$(unpack "$file" | od -An -v -tx1 -N 16 | tr -d ' \n') || true # od leaves the pipe early
  case $header in
    3c*) fail "$file: a web page; $again" ;; # begins with <
    1f8b*) fail "$file: gzip inside gzip; unpack it once: gunzip" ;;
  esac
  ((size >= header_size)) || fail "$file: $size bytes, shorter than a header; $again"

  # Four bytes each: magic number, count, and of images their rows and columns.
  local found=$((16#${header:0:8})) count=$((16#${header:8:8}))
  ((found == magic)) || fail "$file: magic number $found, expected $magic for $kind; $again"
  [ "$kind" = labels ] || [ "${header:16}" = 0000001c0000001c ] ||
    fail "$file: images of $((16#${header:16:8}))x$((16#${header:24:8})), expected 28x28"
  ((count > 0)) || fail "$file: holds no $kind; $again"
  local expected=$((header_size + count * item_size))
  ((size == expected)) || fail "$file: $size bytes, expected $expected for $count $kind; $again"
}

# od prints 16 numbers a line, padded with spaces. An image is 49 such lines, a dash of paste each.
images_text() {
  # shellcheck disable=SC2046
  od -An -v -tu1 -j 16 | paste -d ' ' $(printf -- '- %.0s' {1..49}) |
    tr -s ' ' | sed 's/^ //; s/ $//'
}

labels_text() {
  od -An -v -tu1 -j 8 | tr -s ' ' '\n' | sed '/^$/d'
}

# convert STEM KIND MAGIC HEADER ITEM: writes STEM-txt from STEM-ubyte, whose form is as in check.
convert() {
  local stem=$1 kind=$2 text=$out/$1-txt file
  if [ -e "$text" ] && ! $force; then return; fi
  for file in "$root"/{,gzip/}"$stem-ubyte"{,.gz}; do
    if [ -e "$file" ]; then break; fi
  done
  if [ ! -e "$file" ] && [ -e "$text" ]; then return; fi
  [ -e "$file" ] ||
    fail "missing in $root: $stem-ubyte; run: python dataset.py download --split $split"

  check "$file" "${@:2}"
  partial=$(mktemp "$out/.emnist-autoencoder-partial-XXXXXX" 2>/dev/null) ||
    fail "$out: no folder that can be written to; check its name and permissions"
  trap 'rm -f "$partial"' EXIT
  { unpack "$file" | "${kind}_text" >"$partial"; } 2>/dev/null ||
    fail "$text: could not be written; is there room on the disk?"
  chmod +rw "$partial" # as the umask says; mktemp lets only its owner read it
  mv -f "$partial" "$text"
}

force=false
if [ "${1-}" = --force ]; then force=true && shift; fi
[[ ${1-} != -* ]] || fail "unknown option $1; $usage" 2
(($# <= 3)) || fail "too many words; $usage" 2
root=${1:-${DATA_ROOT:-data}} split=${2:-balanced}
if [[ $root == \~/* ]]; then root=$HOME${root#\~}; fi
out=${3:-$root}
[[ $split =~ ^(balanced|byclass|bymerge|letters|digits|mnist)$ ]] ||
  fail "unknown split $split (balanced, byclass, bymerge, letters, digits or mnist); $usage" 2

command -v gzip >/dev/null || fail "gzip is needed; install it"
for part in train test; do
  convert "emnist-$split-$part-images-idx3" images 2051 16 784
  convert "emnist-$split-$part-labels-idx1" labels 2049 8 1
done
