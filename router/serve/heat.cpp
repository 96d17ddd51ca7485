#include "router/serve/heat.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace router {

void Heat::Free::operator()(std::uint32_t* cells) const { std::free(cells); }

// calloc: zero pages that the system hands out at the first touch.
Heat::Heat(std::uint32_t vnodes)
    : vnodes_(vnodes),
      cells_(static_cast<std::uint32_t*>(std::calloc(vnodes, sizeof(std::uint32_t)))) {
  if (cells_ == nullptr) throw std::bad_alloc();
}

/// A ring of more vnodes may have come since.
void Heat::count(ring::Vnode vnode) {
  if (number(vnode) >= vnodes_) return;
  const std::atomic_ref<std::uint32_t> cell(cells_[number(vnode)]);
  cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

std::uint32_t Heat::counted(ring::Vnode vnode) const {
  return number(vnode) >= vnodes_ ? 0
                                  : std::atomic_ref<std::uint32_t>(cells_[number(vnode)])
                                        .load(std::memory_order_relaxed);
}

std::size_t Heat::bytes() const { return std::size_t{vnodes_} * sizeof(std::uint32_t); }

}  // namespace router
