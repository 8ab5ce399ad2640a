#!/usr/bin/env bash
# Turn EMNIST's idx-ubyte files into text: an image a line, 784 numbers 0..255, or a label a line.
#
#   ./convert_idx.sh [--force] [--out FOLDER] [DATA_ROOT] [SPLIT]
#
# The four files emnist-SPLIT-{train,test}-{images-idx3,labels-idx1}-ubyte, plain or .gz, lie in
# DATA_ROOT or in DATA_ROOT/gzip; their texts, named -txt, are written to FOLDER. A text that exists
# is kept; --force replaces it, if its ubyte file is there. By default DATA_ROOT is $DATA_ROOT or
# "data", FOLDER is DATA_ROOT, SPLIT is balanced; others: byclass, bymerge, letters, digits, mnist.
# Exit status: 0 done, 1 a file is bad or missing, 2 wrong usage.
set -euo pipefail
export LC_ALL=C

fail() {
  echo "convert_idx.sh: $1" >&2
  exit "${2:-1}"
}

usage() {
  fail "$1; usage: ./convert_idx.sh [--force] [--out FOLDER] [DATA_ROOT] [SPLIT]" 2
}

# The input's first bytes, in hexadecimal. cat reads the rest: its writer fails at a closed pipe.
first_bytes() {
  od -An -v -tx1 -N "$1" | tr -d ' \n'
  cat >/dev/null
}

# Whether FILE is gzip: its bytes tell, whatever its name is.
is_gzip() {
  [ "$(first_bytes 2 <"$1")" = 1f8b ]
}

unpacked() {
  if is_gzip "$1"; then gzip -dc <"$1"; else cat <"$1"; fi
}

# check FILE KIND: refuses FILE unless it holds images or labels, as many as its header says.
check() {
  local file=$1 kind=$2 magic=2049 header_size=8 item_size=1 again="get the file again" size header
  if [ "$kind" = images ]; then magic=2051 header_size=16 item_size=784; fi

  [ ! -d "$file" ] || fail "$file: a folder, expected a file; move the file out of the folder"
  [ -r "$file" ] || fail "$file: cannot be read; check its permissions"
  ! is_gzip "$file" || command -v gzip >/dev/null || fail "$file: gzip is needed; install it"
  size=$(unpacked "$file" 2>/dev/null | wc -c) || fail "$file: damaged gzip; $again"
  header=$(unpacked "$file" | first_bytes "$header_size")
  case $header in
    "") fail "$file: empty; $again" ;;
    3c*) fail "$file: a web page; $again" ;; # begins with <
    1f8b*) fail "$file: gzip inside gzip; unpack it once: gunzip" ;;
  esac
  ((size >= header_size)) || fail "$file: $((size)) bytes, shorter than a header; $again"

  # The header's numbers have four bytes: magic number, count, and of images their rows and columns.
  local found=$((16#${header:0:8})) count=$((16#${header:8:8}))
  ((found == magic)) || fail "$file: magic number $found, expected $magic for $kind; $again"
  if [ "$kind" = images ] && [ "${header:16}" != 0000001c0000001c ]; then
    fail "$file: images of $((16#${header:16:8}))x$((16#${header:24:8})), expected 28x28"
  fi
  ((count > 0)) || fail "$file: holds no $kind; $again"
  local expected=$((header_size + count * item_size))
  ((size == expected)) || fail "$file: $((size)) bytes, expected $expected for $count $kind; $again"
}

# od prints 16 numbers a line, padded with spaces. An image of 784 numbers is 49 such lines.
images_text() {
  local dashes
  dashes=$(printf -- '- %.0s' {1..49})
  # shellcheck disable=SC2086  # a dash for each line that paste joins
  od -An -v -tu1 -j 16 | paste -d ' ' $dashes | tr -s ' ' | sed 's/^ //; s/ $//'
}

labels_text() {
  od -An -v -tu1 -j 8 | tr -s ' ' '\n' | sed '/^$/d'
}

# convert STEM KIND: writes STEM-txt from STEM-ubyte, which holds images or labels.
convert() {
  local stem=$1 kind=$2 text=$out/$1-txt file
  if [ -e "$text" ] && ! $force; then return; fi
  for file in "$root/$stem-ubyte"{,.gz} "$root/gzip/$stem-ubyte"{,.gz}; do
    if [ -e "$file" ]; then break; fi
  done
  if [ ! -e "$file" ]; then
    if [ -e "$text" ]; then return; fi
    fail "missing in $root: $stem-ubyte; run: python dataset.py download --split $split"
  fi

  check "$file" "$kind"
  partial=$(mktemp "$out/.emnist-autoencoder-partial-XXXXXX" 2>/dev/null) ||
    fail "$out: no folder that can be written to; check its name and permissions"
  { unpacked "$file" | "${kind}_text" >"$partial"; } 2>/dev/null ||
    fail "$text: could not be written; is there room on the disk?"
  chmod +rw "$partial" # as the umask says; mktemp lets only its owner read it
  mv -f "$partial" "$text"
}

out="" force=false
while [[ ${1-} == -* ]]; do
  case $1 in
    --force) force=true ;;
    --out)
      out=${2-}
      [ -n "$out" ] || usage "--out needs a folder"
      shift
      ;;
    --) shift && break ;;
    *) usage "unknown option $1" ;;
  esac
  shift
done
(($# <= 2)) || usage "too many words"
root=${1:-${DATA_ROOT:-data}} split=${2:-balanced}
case $split in
  balanced | byclass | bymerge | letters | digits | mnist) ;;
  *) usage "unknown split $split (balanced, byclass, bymerge, letters, digits or mnist)" ;;
esac
case $root in \~ | \~/*) root=$HOME${root#\~} ;; esac
out=${out:-$root}

partial=""
trap 'rm -f "$partial"' EXIT
for part in train test; do
  convert "emnist-$split-$part-images-idx3" images
  convert "emnist-$split-$part-labels-idx1" labels
done
