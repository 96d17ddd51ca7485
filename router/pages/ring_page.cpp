#include "router/pages/ring_page.hpp"

#include <utility>

namespace router {
namespace {

constexpr const char* kJson = "application/json";

}  // namespace

/// What went wrong here is in the log of who asked, who names this router.
HttpPage ring_page(const std::string& digest, ImageShelf::Lent lent) {
  switch (lent.outcome) {
    case ImageShelf::Outcome::lent:
      return {
          200, "application/octet-stream", {}, std::move(lent.bytes), {{"Ring-Digest", digest}}};
    case ImageShelf::Outcome::not_here:
      return {404, kJson, "{\"message\":\"this router has no such ring\"}"};
    case ImageShelf::Outcome::busy:
      return {
          503, kJson, "{\"message\":\"others ask for rings\"}", nullptr, {{"Retry-After", "1"}}};
    case ImageShelf::Outcome::failed: break;
  }
  return {500, kJson, "{\"message\":\"the ring can't be read\"}"};
}

}  // namespace router
