# shellcheck shell=bash
# Sourced by scripts/run and scripts/test: installs the system libraries that are missing, or says what to install.

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then
  echo "this file is sourced by scripts/run and scripts/test" >&2
  exit 1
fi

# Vulkan loader and drivers, keyboard, X and Wayland client libraries.
debian_packages=(
  libvulkan1 mesa-vulkan-drivers libxkbcommon0 libxkbcommon-x11-0 libx11-6 libx11-xcb1 libxcursor1
  libxi6 libxrandr2 libwayland-client0 libwayland-cursor0 libwayland-egl1 libgl1 libegl1
)
fedora_packages="vulkan-loader mesa-vulkan-drivers libxkbcommon libxkbcommon-x11 libX11 libX11-xcb libXcursor libXi libXrandr libwayland-client libwayland-cursor libwayland-egl libglvnd-glx libglvnd-egl"
arch_packages="vulkan-icd-loader vulkan-swrast libxkbcommon libxkbcommon-x11 libx11 libxcursor libxi libxrandr wayland libglvnd (and vulkan-radeon, vulkan-intel or nvidia-utils for your card)"

# missing_packages NAME...: those that dpkg does not have.
missing_packages() {
  local name
  for name in "$@"; do
    # Since Debian 13 and Ubuntu 24.04 some names end in t64 and provide the old one.
    if ! dpkg -s "$name" > /dev/null 2>&1 && ! dpkg -s "${name}t64" > /dev/null 2>&1; then
      printf '%s\n' "$name"
    fi
  done
}

as_root() {
  if [[ "$(id -u)" -eq 0 ]]; then
    "$@"
  elif command -v sudo > /dev/null; then
    sudo "$@"
  else
    return 1
  fi
}

# install_system_packages [run|test]
install_system_packages() {
  if [[ "$(uname -s)" != Linux ]]; then
    return 0 # macOS and Windows bring all that is needed.
  fi
  local wanted=("${debian_packages[@]}") fedora="$fedora_packages" arch="$arch_packages"
  if [[ "${1:-run}" == test ]]; then
    wanted+=(xvfb fonts-dejavu-core)
    fedora+=" xorg-x11-server-Xvfb dejavu-sans-fonts"
    arch+=" xorg-server-xvfb ttf-dejavu"
  fi
  if ! command -v cc > /dev/null; then
    wanted+=(build-essential) # Rust links with it.
    fedora+=" gcc"
    arch+=" gcc"
  fi
  if ! command -v apt-get > /dev/null || ! command -v dpkg > /dev/null; then
    if command -v dnf > /dev/null; then
      echo "If something is missing: sudo dnf install $fedora"
    elif command -v pacman > /dev/null; then
      echo "If something is missing: sudo pacman -S --needed $arch"
    else
      echo "If something is missing, install your system's names for: ${wanted[*]}"
    fi
    return 0
  fi
  local missing=()
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if [[ "${#missing[@]}" -eq 0 ]]; then
    return 0
  fi
  echo "Installing ${missing[*]}"
  if ! { as_root apt-get update -qq \
    && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; }; then
    echo "These could not be installed: ${missing[*]}" >&2
    echo "Install them by hand (apt-get install ${missing[*]}); going on without." >&2
  fi
}

require_cargo() {
  if command -v cargo > /dev/null; then
    return 0
  fi
  if [[ -r "$HOME/.cargo/env" ]]; then
    # shellcheck source=/dev/null
    source "$HOME/.cargo/env"
  fi
  if ! command -v cargo > /dev/null; then
    echo "Rust is missing. Install it from https://rustup.rs and start this again." >&2
    exit 1
  fi
}

# Wayland and Vulkan libraries complain, and some fail, without it.
ensure_runtime_dir() {
  if [[ -z "${XDG_RUNTIME_DIR:-}" && "$(uname -s)" == Linux ]]; then
    XDG_RUNTIME_DIR="${TMPDIR:-/tmp}/foresight-runtime-$(id -u)"
    mkdir -p "$XDG_RUNTIME_DIR"
    if [[ ! -O "$XDG_RUNTIME_DIR" ]]; then
      XDG_RUNTIME_DIR="$(mktemp -d)" # Somebody else took the name.
    fi
    chmod 700 "$XDG_RUNTIME_DIR"
    export XDG_RUNTIME_DIR
  fi
}
