#pragma once

#include <array>
#include <cstdint>

namespace sim {

using Key = int;

inline constexpr int kDatabases = 3;
inline constexpr int kVnodes = 5;  ///< the last one has no keys: a person remaps it at will
inline constexpr int kKeyedVnodes = 4;
inline constexpr int kKeysEach = 2;
inline constexpr int kKeys = kKeyedVnodes * kKeysEach;
inline constexpr int kFreeVnode = kVnodes - 1;

inline int vnode_of(Key key) { return key / kKeysEach; }

/// A set of vnodes, a bit each.
using Vnodes = std::uint8_t;
inline Vnodes only(int vnode) { return static_cast<Vnodes>(1u << vnode); }
inline bool has(Vnodes vnodes, int vnode) { return ((vnodes >> vnode) & 1u) != 0; }
inline constexpr Vnodes kKeyed = (1u << kKeyedVnodes) - 1;

/// Who owns each vnode, and the data that a person has set to it.
struct Ring {
  std::array<std::uint8_t, kVnodes> owner{}, data{};

  /// 0 is no ring's: it stands for a plan that is not bound.
  [[nodiscard]] std::uint32_t digest() const {
    std::uint32_t digest = 1;
    for (std::size_t vnode = 0; vnode < kVnodes; ++vnode)
      digest = digest * 32 + owner[vnode] + 4u * data[vnode];
    return digest;
  }
  [[nodiscard]] Ring with(Vnodes vnodes, int to) const {
    Ring next = *this;
    for (int vnode = 0; vnode < kVnodes; ++vnode)
      if (has(vnodes, vnode))
        next.owner[static_cast<std::size_t>(vnode)] = static_cast<std::uint8_t>(to);
    return next;
  }
  [[nodiscard]] int of(int vnode) const { return owner[static_cast<std::size_t>(vnode)]; }
  [[nodiscard]] Vnodes owned_by(int database) const {
    Vnodes vnodes = 0;
    for (int vnode = 0; vnode < kVnodes; ++vnode)
      if (of(vnode) == database) vnodes |= only(vnode);
    return vnodes;
  }
  bool operator==(const Ring&) const = default;
};

}  // namespace sim
