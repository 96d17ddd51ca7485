#pragma once

#include <cstdint>

namespace sim {

/// A run's draws, all of them from its seed: splitmix64 (Steele, Lea and Flood, 2014), whose
/// seeding costs nothing.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_(seed) {}
  std::uint32_t operator()() {
    std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return static_cast<std::uint32_t>((mixed ^ (mixed >> 31)) >> 32);
  }
  bool chance(int percent) { return static_cast<int>((*this)() % 100) < percent; }
  bool in_thousand(int many) { return static_cast<int>((*this)() % 1000) < many; }
  int any(int below) { return static_cast<int>((*this)() % static_cast<unsigned>(below)); }

 private:
  std::uint64_t state_;
};

}  // namespace sim
