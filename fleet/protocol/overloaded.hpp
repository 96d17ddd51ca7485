#pragma once

namespace fleet {

/// A visitor of lambdas.
template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

}  // namespace fleet
