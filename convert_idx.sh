#!/usr/bin/env bash
# Turn EMNIST's idx-ubyte files into text: an image a line, 784 numbers 0..255, or a label a line.
#
#   ./convert_idx.sh [--force] [DATA_ROOT [SPLIT [FOLDER]]]
#
# Looks for emnist-SPLIT-{train,test}-{images-idx3,labels-idx1}-ubyte, plain or .gz, in DATA_ROOT,
# then in DATA_ROOT/gzip. Writes each as text to FOLDER, named -txt instead of -ubyte. Default:
# DATA_ROOT is $DATA_ROOT or "data", SPLIT is balanced, FOLDER is DATA_ROOT. A text that exists is
# kept, unless --force is given and there is its ubyte file.
# Exit status: 0 done, 1 a file is bad or missing, 2 wrong usage.
set -euo pipefail
set +C     # a shell may export its noclobber, which forbids to write over a file
unset GZIP # options for gzip, e.g. --keep
usage="usage: ./convert_idx.sh [--force] [DATA_ROOT [SPLIT [FOLDER]]]"

fail() {
  echo "convert_idx.sh: $1" >&2
  exit "${2:-1}"
}

unpack() {
  gzip -dcf <"$1" # -f: a file that is not compressed comes as it is
}

# check FILE KIND MAGIC HEADER_SIZE ITEM_SIZE: fails if FILE is not such a header and its items.
check() {
  local file=$1 kind=$2 magic=$3 header_size=$4 item_size=$5 again="move it away and get it again"
  local reason size header
  reason=$(cat "$file" 2>&1 >/dev/null) ||
    fail "$file: ${reason##*: }; check its permissions and its disk"
  reason=$(unpack "$file" 2>&1 >/dev/null) || fail "$file: gzip says ${reason##*: }; $again"
  size=$(unpack "$file" | wc -c | tr -d ' ')
  header=$(unpack "$file" | od -An -v -tx1 -N 16 | tr -d ' \n') || true # od leaves the pipe early
  case $header in
    3c*) fail "$file: a web page; $again" ;; # <
    76657273696f6e20*) fail "$file: a Git LFS pointer; run: git lfs pull" ;; # "version "
  esac

  # Four bytes each: magic number, count.
  local found=$((16#0${header:0:8})) count=$((16#0${header:8:8}))
  local expected=$((header_size + count * item_size))
  ((found == magic)) || fail "$file: magic number $found, expected $magic for $kind; $again"
  ((count > 0)) || fail "$file: holds no $kind; $again"
  [[ $kind = labels || $header = ????????????????0000001c0000001c ]] ||
    fail "$file: its images are not 28 x 28; $again"
  ((size == expected)) || fail "$file: $size bytes, expected $expected for $count $kind; $again"
}

# od prints 16 numbers a line, padded with spaces. paste joins 49 such lines, an image.
images_text() {
  # shellcheck disable=SC2046
  od -An -v -tu1 -j 16 | paste -d ' ' $(printf -- '- %.0s' {1..49}) |
    tr -s ' ' | sed 's/^ //; s/ $//'
}

labels_text() {
  od -An -v -tu1 -j 8 | tr -s ' ' '\n' | sed '/^$/d'
}

# convert STEM KIND ...: writes STEM-txt from STEM-ubyte, which must pass check FILE KIND ...
convert() {
  local stem=$1 kind=$2 file reason text=$out/$1-txt
  if [ -e "$text" ] && ! $force; then return; fi
  for file in "$root"/{,gzip/}"$stem-ubyte"{,.gz}; do
    if [ -f "$file" ]; then break; fi
  done
  if [ ! -f "$file" ]; then
    [ -e "$root/$stem-txt" ] || fail "missing in $root: $stem-ubyte; run: $prepare"
    return
  fi

  check "$file" "${@:2}"
  reason=$({ unpack "$file" | "${kind}_text" >"$partial"; } 2>&1) ||
    fail "$text: ${reason##*: }; free some space, or choose a folder that can be written to"
  mv -f "$partial" "$text"
}

force=false
if [ "${1-}" = --force ]; then force=true && shift; fi
[[ ${1-} != -* ]] || fail "unknown option $1; $usage" 2
(($# <= 3)) || fail "too many words; $usage" 2
root=${1:-${DATA_ROOT:-data}}
root=${root/#\~\//$HOME/}
split=${2:-balanced}
out=${3:-$root}
out=${out/#\~\//$HOME/}
[[ $split =~ ^(balanced|byclass|bymerge|letters|digits|mnist|demo)$ ]] ||
  fail "unknown split $split (balanced, byclass, bymerge, letters, digits, mnist or demo); $usage" 2

prepare=$(printf 'python %q prepare --split %s --data-root %q' \
  "$(dirname "$0")/dataset.py" "$split" "$root")
partial=$out/.emnist-autoencoder-partial-$$
trap 'rm -f "$partial"' EXIT
for part in train test; do
  convert "emnist-$split-$part-images-idx3" images 2051 16 784
  convert "emnist-$split-$part-labels-idx1" labels 2049 8 1
done
