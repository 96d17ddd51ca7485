#include "router/member/image_fetch.hpp"

#include <utility>

namespace router {
namespace {

constexpr int kMissingTries = 10;

}  // namespace

void ImageFetch::session(coordination::Session* session) {
  session_ = session;
  if (const auto waiting = std::exchange(waiting_, nullptr)) {
    ++asked_;
    waiting(std::nullopt, "the session with the service has ended", false);
  }
}

void ImageFetch::fetch(const std::string& digest, Fetched fetched) {
  if (session_ == nullptr)
    return fetched(std::nullopt, "there is no session with the service", false);
  if (digest != std::exchange(digest_, digest)) missing_ = 0;
  waiting_ = std::move(fetched);
  fleet::find_image(
      *session_, paths_, digest, [this, digest, number = ++asked_](fleet::ImageOutcome image) {
        using coordination::Outcome;
        if (number != asked_) return;
        const auto waiting = std::exchange(waiting_, nullptr);
        if (image.outcome == Outcome::done)
          return waiting(fleet::Image{digest, std::move(image.bytes)}, "", false);
        // It may be written anew at this moment, or a server may lag.
        const bool missing = image.outcome == Outcome::no_node;
        missing_ = missing ? missing_ + 1 : 0;
        if (image.why.empty())
          image.why =
              missing ? "the service has no image " + digest : "the service does not answer";
        waiting(std::nullopt, image.why,
                missing_ >= kMissingTries || image.outcome == Outcome::refused);
      });
}

}  // namespace router
