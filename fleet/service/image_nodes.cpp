#include "fleet/service/image_nodes.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "fleet/images/chunks.hpp"

namespace fleet {
namespace {

using coordination::Check;
using coordination::Create;
using coordination::Node;
using coordination::Outcome;
using coordination::Remove;
using coordination::Session;
using coordination::Set;

constexpr std::int64_t kKeptSeconds = 3'600;
constexpr int kTries = 20;
constexpr std::size_t kAtOnce = 4;  // chunks under way

// What an image's node says where there is no header: that some write chunks, who all write the
// same ones; or that somebody takes them away.
constexpr const char* kWriting = "";
constexpr const char* kRemoving = "removing";

/// nullopt: what is there is no header of an image, as where one writes still.
std::optional<Header> header_of(const Node& node) {
  try {
    return header_from(node.value);
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

/// One image on its way to the service. It is kept by what it waits for.
class Putting : public std::enable_shared_from_this<Putting> {
 public:
  Putting(Session& session, std::string node, Chunked image, bool anew, ImageDone done)
      : session_(session), node_(std::move(node)), image_(std::move(image)), anew_(anew),
        done_(std::move(done)) {}

  void begin() {
    if (++tries_ > kTries) return end(Outcome::unknown, "others write it all the time");
    session_.get(node_, nullptr, [self = shared_from_this()](Outcome outcome, const Node& node) {
      if (outcome == Outcome::done) return self->found(node);
      if (outcome == Outcome::no_node) return self->make();
      self->end(outcome);
    });
  }

 private:
  void make() {
    session_.create({node_, kWriting, false, false}, [self = shared_from_this()](Outcome outcome) {
      if (outcome == Outcome::done) return self->write_from(coordination::kFirstVersion);
      if (outcome == Outcome::exists) return self->begin();
      self->end(outcome);
    });
  }

  void found(const Node& node) {
    if (node.value == kWriting) return write_from(node.version);
    auto header = header_of(node);
    if (!header || header->chunks == 0 || std::exchange(anew_, false)) return take_over(node);
    // Whole it is good, by whatever bytes: others read it at this moment. Somebody may have removed
    // chunks by hand.
    header->written_at = std::max(header->written_at, image_.header.written_at);
    session_.children(node_, nullptr,
                      [self = shared_from_this(), node, header = *header](
                          Outcome outcome, const std::vector<std::string>& names) {
                        if (outcome != Outcome::done) return self->end(outcome);
                        if (all_among(names, header)) return self->say_whole(header, node.version);
                        self->take_over(node);
                      });
  }

  static bool all_among(const std::vector<std::string>& names, const Header& header) {
    for (std::size_t i = 0; i < header.chunks; ++i)
      if (!std::binary_search(names.begin(), names.end(), chunk_name(header, i))) return false;
    return true;
  }

  /// From now on nobody takes chunks away, and all who write begin anew.
  void take_over(const Node& node) {
    session_.set({node_, kWriting, node.version},
                 [self = shared_from_this(), version = node.version](Outcome outcome) {
                   if (outcome == Outcome::done) return self->write_from(version + 1);
                   if (outcome == Outcome::version_differs || outcome == Outcome::no_node)
                     return self->begin();
                   self->end(outcome);
                 });
  }

  void write_from(std::int32_t version) {
    version_ = version;
    next_ = under_way_ = 0;
    failed_ = Outcome::done;
    write_some();
  }

  void write_some() {
    while (failed_ == Outcome::done && under_way_ < kAtOnce && next_ < image_.chunks.size()) {
      const std::size_t number = next_++;
      ++under_way_;
      session_.transact(
          {Check{node_, version_}, Create{chunk(number), image_.chunks[number], false, false}},
          [self = shared_from_this(), number](Outcome outcome, std::size_t failed) {
            if (outcome == Outcome::exists && failed == 1) return self->write_over(number);
            self->wrote(outcome);
          });
    }
    if (under_way_ > 0) return;
    if (failed_ == Outcome::done) return say_whole(image_.header, version_);
    if (failed_ == Outcome::version_differs || failed_ == Outcome::no_node) return begin();
    end(failed_);
  }

  [[nodiscard]] std::string chunk(std::size_t number) const {
    return node_ + "/" + chunk_name(image_.header, number);
  }

  /// It is this one, by its name, unless somebody has changed it by hand.
  void write_over(std::size_t number) {
    session_.transact(
        {Check{node_, version_},
         Set{chunk(number), image_.chunks[number], coordination::kAnyVersion}},
        [self = shared_from_this()](Outcome outcome, std::size_t) { self->wrote(outcome); });
  }

  void wrote(Outcome outcome) {
    --under_way_;
    if (outcome != Outcome::done) failed_ = outcome;
    write_some();
  }

  void say_whole(const Header& header, std::int32_t version) {
    session_.set({node_, to_text(header), version}, [self = shared_from_this()](Outcome outcome) {
      if (outcome == Outcome::version_differs || outcome == Outcome::no_node) return self->begin();
      self->end(outcome);
    });
  }

  void end(Outcome outcome, std::string why = {}) { done_({outcome, std::move(why), {}}); }

  Session& session_;
  const std::string node_;
  const Chunked image_;
  bool anew_;  // what is there is not trusted, the first time that it is met
  const ImageDone done_;
  int tries_ = 0;
  std::int32_t version_ = 0;
  std::size_t next_ = 0, under_way_ = 0;
  Outcome failed_ = Outcome::done;
};

class Getting : public std::enable_shared_from_this<Getting> {
 public:
  Getting(Session& session, std::string node, ImageDone done)
      : session_(session), node_(std::move(node)), done_(std::move(done)) {}

  void begin() {
    session_.get(node_, nullptr, [self = shared_from_this()](Outcome outcome, const Node& node) {
      if (outcome != Outcome::done) return self->end(outcome);
      const auto header = header_of(node);
      if (!header || header->chunks == 0) return self->end(Outcome::no_node);
      if (header->bytes > kImageNodesBytesMost)
        return self->end(Outcome::refused,
                         "an image of " + std::to_string(header->bytes) + " bytes is too large");
      self->header_ = *header;
      self->chunks_.resize(header->chunks);
      self->read_some();
    });
  }

 private:
  void read_some() {
    while (failed_ == Outcome::done && under_way_ < kAtOnce && next_ < chunks_.size()) {
      const std::size_t number = next_++;
      ++under_way_;
      session_.get(node_ + "/" + chunk_name(header_, number), nullptr,
                   [self = shared_from_this(), number](Outcome outcome, Node chunk) {
                     --self->under_way_;
                     if (outcome != Outcome::done) self->failed_ = outcome;
                     self->chunks_[number] = std::move(chunk.value);
                     self->read_some();
                   });
    }
    if (under_way_ > 0) return;
    if (failed_ != Outcome::done) return end(failed_);
    std::string bytes;
    try {
      bytes = joined(header_, chunks_);
    } catch (const std::invalid_argument& error) {
      return end(Outcome::refused, error.what());
    }
    done_({Outcome::done, {}, std::move(bytes)});
  }

  void end(Outcome outcome, std::string why = {}) { done_({outcome, std::move(why), {}}); }

  Session& session_;
  const std::string node_;
  const ImageDone done_;
  Header header_;
  std::vector<std::string> chunks_;
  std::size_t next_ = 0, under_way_ = 0;
  Outcome failed_ = Outcome::done;
};

/// One image after the other, and of each one chunk after the other: nobody waits for it.
class Tidying : public std::enable_shared_from_this<Tidying> {
 public:
  Tidying(Session& session, Paths paths, ImageTidying what)
      : session_(session), paths_(std::move(paths)), what_(std::move(what)) {}

  void begin() {
    session_.children(paths_.images(), nullptr,
                      [self = shared_from_this()](Outcome outcome, std::vector<std::string> all) {
                        if (outcome != Outcome::done) return self->what_.done();
                        self->digests_ = std::move(all);
                        self->next_image();
                      });
  }

 private:
  void next_image() {
    while (!digests_.empty() && what_.needed(digests_.back())) digests_.pop_back();
    if (digests_.empty()) return what_.done();
    node_ = paths_.image(digests_.back());
    digests_.pop_back();
    session_.get(node_, nullptr, [self = shared_from_this()](Outcome outcome, const Node& node) {
      if (outcome != Outcome::done) return self->next_image();
      self->judge(node);
    });
  }

  /// One without a header is somebody's who writes, or who has died: it gets a header, of no
  /// chunks, by which its age is known, and those who write begin anew. One of no chunks goes with
  /// its node; every other one is left as such a node for another hour: by then nobody is left who
  /// has read a version of its that a node made anew would have, too.
  void judge(const Node& node) {
    const auto header = header_of(node);
    if (!header) return mark(node.version, [self = shared_from_this()] { self->next_image(); });
    if (header->written_at + kKeptSeconds > what_.now) return next_image();
    goes_ = header->chunks == 0;
    session_.transact(
        {Check{paths_.state(), what_.state}, Set{node_, kRemoving, node.version}},
        [self = shared_from_this(), version = node.version + 1](Outcome outcome, std::size_t) {
          if (outcome != Outcome::done) return self->what_.done();
          self->version_ = version;
          self->list_chunks();
        });
  }

  template <typename Then>
  void mark(std::int32_t version, Then then) {
    Header nothing = chunked("").header;
    nothing.written_at = what_.now;
    session_.transact({Check{paths_.state(), what_.state}, Set{node_, to_text(nothing), version}},
                      [then](Outcome, std::size_t) { then(); });
  }

  void list_chunks() {
    session_.children(node_, nullptr,
                      [self = shared_from_this()](Outcome outcome, std::vector<std::string> all) {
                        if (outcome != Outcome::done) return self->what_.done();
                        self->chunks_ = std::move(all);
                        self->remove_next();
                      });
  }

  void remove_next() {
    const auto next = [self = shared_from_this()] { self->next_image(); };
    if (chunks_.empty() && !goes_) return mark(version_, next);
    if (chunks_.empty())
      return session_.transact({Check{paths_.state(), what_.state}, Remove{node_, version_}},
                               [next](Outcome, std::size_t) { next(); });
    const std::string chunk = node_ + "/" + chunks_.back();
    chunks_.pop_back();
    session_.transact({Check{paths_.state(), what_.state}, Check{node_, version_}, Remove{chunk}},
                      [self = shared_from_this()](Outcome outcome, std::size_t) {
                        if (outcome != Outcome::done) return self->what_.done();
                        self->remove_next();
                      });
  }

  Session& session_;
  const Paths paths_;
  const ImageTidying what_;
  std::vector<std::string> digests_, chunks_;
  std::string node_;
  std::int32_t version_ = 0;
  bool goes_ = false;
};

}  // namespace

void put_image(Session& session, const Paths& paths, const std::string& digest,
               const std::string& bytes, std::int64_t now, bool anew, ImageDone done) {
  Chunked image = chunked(bytes);
  image.header.written_at = now;
  std::make_shared<Putting>(session, paths.image(digest), std::move(image), anew, std::move(done))
      ->begin();
}

void get_image(Session& session, const Paths& paths, const std::string& digest, ImageDone done) {
  std::make_shared<Getting>(session, paths.image(digest), std::move(done))->begin();
}

void find_image(Session& session, const Paths& paths, const std::string& digest, ImageDone done) {
  get_image(session, paths, digest,
            [&session, paths, digest, done = std::move(done)](ImageOutcome image) {
              if (image.outcome != Outcome::no_node) return done(std::move(image));
              session.transact({Check{paths.state(), coordination::kAnyVersion}},
                               [&session, paths, digest, done](Outcome outcome, std::size_t) {
                                 if (outcome != Outcome::done) return done({outcome, {}, {}});
                                 get_image(session, paths, digest, done);
                               });
            });
}

void tidy_images(Session& session, const Paths& paths, ImageTidying tidying) {
  std::make_shared<Tidying>(session, paths, std::move(tidying))->begin();
}

}  // namespace fleet
