#pragma once

#include <array>
#include <cassert>
#include <cstdlib>

namespace sim {

/// A handful of things in place: worlds are copied at each commit, and a million of them are run.
template <typename T, int most>
class Few {
 public:
  void push_back(const T& item) {
    if (count_ == most) std::abort();  // the model's own bound
    items_[static_cast<std::size_t>(count_++)] = item;
  }
  void clear() { count_ = 0; }
  template <typename Wanted>
  void erase_if(Wanted wanted) {
    int kept = 0;
    for (int i = 0; i < count_; ++i)
      if (!wanted(items_[static_cast<std::size_t>(i)]))
        items_[static_cast<std::size_t>(kept++)] = items_[static_cast<std::size_t>(i)];
    count_ = kept;
  }
  [[nodiscard]] int size() const { return count_; }
  [[nodiscard]] bool full() const { return count_ == most; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  T& operator[](int at) { return items_[static_cast<std::size_t>(at)]; }
  const T& operator[](int at) const { return items_[static_cast<std::size_t>(at)]; }
  T* begin() { return items_.data(); }
  T* end() { return items_.data() + count_; }
  const T* begin() const { return items_.data(); }
  const T* end() const { return items_.data() + count_; }
  T& back() { return items_[static_cast<std::size_t>(count_ - 1)]; }

 private:
  std::array<T, static_cast<std::size_t>(most)> items_{};
  int count_ = 0;
};

}  // namespace sim
