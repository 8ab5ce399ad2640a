#!/usr/bin/env bash
# Turn EMNIST's idx-ubyte files, plain or .gz, into text: an image a line (784 numbers 0..255), or a label a line.
#
#   ./convert_idx.sh [--force] [DATA_ROOT] [SPLIT]
#
# DATA_ROOT is $DATA_ROOT or "data" unless given; SPLIT is balanced (default), byclass, bymerge, letters, digits or mnist.
# emnist-SPLIT-train-images-idx3-ubyte becomes emnist-SPLIT-train-images-idx3-txt, and has its time: text of another time
# is out of date and converted again, --force converts all. Without its ubyte file a text is left alone.
# Exit status: 0 all there, 1 a file is bad or missing (the others are converted all the same), 2 wrong usage.
set -euo pipefail
export LC_ALL=C

usage() {
  echo "convert_idx.sh: $1; usage: ./convert_idx.sh [--force] [DATA_ROOT] [SPLIT]" >&2
  exit 2
}

fail() {
  echo "convert_idx.sh: $1" >&2
  exit 1
}

contents() {
  case $1 in
    *.gz) gzip -dc <"$1" 2>/dev/null ;;
    *) cat <"$1" ;;
  esac
}

# check FILE MAGIC: refuses FILE unless it is idx, holds what MAGIC says, and is exactly as long as its header promises.
check() {
  local file=$1 magic=$2 kind="labels" head header_size=8 item_size=1 size
  if ((magic == 2051)); then kind="images of 28x28" header_size=16 item_size=784; fi

  [ -r "$file" ] || fail "$file: cannot be read; check its permissions"
  [ -s "$file" ] || fail "$file: empty, expected idx $kind; get the file again"
  ! head -c 1 <"$file" | grep -q "<" || fail "$file: a web page, expected idx $kind; get the file again"
  size=$(contents "$file" | wc -c) || fail "$file: damaged or not gzip, expected gzipped idx $kind; get the file again"

  head=$( (contents "$file" || true) | od -An -v -tu1 -N "$header_size" | tr -s ' \n' ' ')
  # shellcheck disable=SC2086  # the header is meant to be split into its bytes
  set -- $head
  (($# == header_size)) || fail "$file: $# bytes, expected a header of $header_size; get the file again"
  local found=$((($1 << 24) + ($2 << 16) + ($3 << 8) + $4)) count=$((($5 << 24) + ($6 << 16) + ($7 << 8) + $8))
  ((found >> 16 != 0x1f8b)) || fail "$file: gzip data under this name; add .gz to its name"
  ((found == magic)) || fail "$file: magic number $found, expected $magic for idx $kind; get the file again"
  if ((magic == 2051)); then
    shift 8
    local rows=$((($1 << 24) + ($2 << 16) + ($3 << 8) + $4)) columns=$((($5 << 24) + ($6 << 16) + ($7 << 8) + $8))
    ((rows == 28 && columns == 28)) || fail "$file: images of ${rows}x$columns, expected 28x28"
  fi
  ((count > 0)) || fail "$file: holds no $kind; get the file again"
  local expected=$((header_size + count * item_size))
  ((size == expected)) || fail "$file: $((size)) bytes, expected $expected for $count $kind; get the file again"
}

# convert STEM MAGIC: writes STEM-txt from STEM-ubyte or STEM-ubyte.gz.
convert() {
  local file=$1-ubyte text=$1-txt magic=$2 skip=8 columns=-
  [ -e "$file" ] || file="$1-ubyte.gz"
  if [ ! -e "$file" ]; then
    [ ! -e "$text" ] || return 0
    fail "$1-ubyte: no such file, nor $1-ubyte.gz; expected one of NIST's idx files there"
  fi
  if [ -e "$text" ] && [ ! "$text" -ot "$file" ] && [ ! "$text" -nt "$file" ] && ! $force; then return 0; fi

  unfinished="$(dirname "$text")/$prefix$$.$(basename "$text")"
  trap 'trap "" TERM; rm -f "$unfinished" "$unfinished.time"' EXIT # a second signal must not end rm
  touch -r "$file" "$unfinished.time" || fail "$text: could not be written; check the folder's permissions"
  check "$file" "$magic"
  if ((magic == 2051)); then skip=16 columns=$(printf -- '- %.0s' {1..784}); fi
  # od's -w (numbers a line) is GNU's alone, so the numbers go one to a line, and paste gathers them.
  # shellcheck disable=SC2086  # a dash, a column
  {
    contents "$file" | od -An -v -tu1 -j "$skip" | tr -s ' ' '\n' | sed '1{/^$/d;}' | paste -d ' ' $columns >"$unfinished"
  } 2>/dev/null ||
    fail "$text: could not be written; is there room on the disk?"
  touch -c -r "$unfinished.time" "$unfinished" # -c: makes no empty file where a newer start removed this one
  mv -f "$unfinished" "$text" || fail "$text: could not be put in place; check the folder's permissions"
}

is_running() {
  if [ -d /proc/self ]; then
    [ -d "/proc/$1" ] && ! grep -q "^State:.*Z" "/proc/$1/status" 2>/dev/null # Z: killed
  else
    ps -p "$1" >/dev/null
  fi
}

force=false words=() options=true
for word; do
  case $word in
    --) options=false ;;
    --force) force=true ;;
    -*) if $options; then usage "unknown option $word"; else words+=("$word"); fi ;;
    *) words+=("$word") ;;
  esac
done
((${#words[@]} <= 2)) || usage "too many words"
data_root=${words[0]:-${DATA_ROOT:-data}} split=${words[1]:-balanced}
case $split in
  balanced | byclass | bymerge | letters | digits | mnist) ;;
  *) usage "unknown split $split (balanced, byclass, bymerge, letters, digits or mnist)" ;;
esac
case $data_root in -*) data_root=./$data_root ;; esac

prefix=.emnist-autoencoder. # begins the names of unfinished files, then the number of the process
for unfinished in "$data_root/$prefix"*".emnist-$split"-*-txt*; do # what killed processes left
  process=${unfinished#"$data_root/$prefix"} process=${process%%.*}
  case $process in "" | *[!0-9]*) continue ;; esac
  is_running "$process" || rm -f "$unfinished"
done

set -m # each job has a process group, so that it ends with its pipeline
jobs=()
for part in train test; do
  convert "$data_root/emnist-$split-$part-images-idx3" 2051 &
  jobs+=($!)
  convert "$data_root/emnist-$split-$part-labels-idx1" 2049 &
  jobs+=($!)
done
signal=0 # the traps call no function: bash muddles those that interrupt each other
trap 'signal=129; kill -- "${jobs[@]/#/-}" 2>/dev/null || true' HUP
trap 'signal=130; kill -- "${jobs[@]/#/-}" 2>/dev/null || true' INT
trap 'signal=143; kill -- "${jobs[@]/#/-}" 2>/dev/null || true' TERM
status=0
for job in "${jobs[@]}"; do
  until wait "$job"; do # a signal ends the wait, not the job
    kill -0 "$job" 2>/dev/null || { status=1 && break; }
  done
done
exit "$((signal ? signal : status))"
