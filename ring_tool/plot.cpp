// plot: a ring as a picture (SVG): each pnode's share, who owns each part of the ring, and with a
// second ring what moves between the two.
#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <map>

#include "ring_tool/commands.hpp"
#include "ring_tool/failure.hpp"
#include "ring_tool/source.hpp"

namespace ring_tool {
namespace {

// Colours that stay apart for most colour-blind eyes (Okabe and Ito), then lighter ones.
constexpr std::array<const char*, 14> kColours = {
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442",
    "#7f7f7f", "#6699cc", "#f3c87a", "#66c5a8", "#e0b1ca", "#a6d5f0", "#e8a06a"};
constexpr int kWidth = 1000, kMargin = 24, kBarHeight = 22, kStripColumns = 800;
constexpr std::size_t kNameMax = 44;  // characters to the left of a bar
constexpr std::size_t kRowsMax = 40;  // pnodes and flows drawn one by one; the rest is summed up

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

/// `tcp://1.moray.example.com:2020` without what all have in common, cut in the middle where it
/// would still not fit.
std::string short_name(std::string name, std::size_t characters_max) {
  if (name.starts_with("tcp://")) name.erase(0, 6);
  if (name.ends_with(":2020")) name.erase(name.size() - 5);
  if (name.size() <= characters_max) return name;
  const std::size_t half = (characters_max - 1) / 2;
  return name.substr(0, half) + "…" + name.substr(name.size() - half);
}

/// Draws from top to bottom.
class Picture {
 public:
  void heading(const std::string& text) {
    y_ += 30;
    body_ += "<text x=\"24\" y=\"" + std::to_string(y_) +
             "\" font-size=\"15\" font-weight=\"bold\">" + escaped(text) + "</text>\n";
    y_ += 10;
  }
  void line(const std::string& text) {
    y_ += 18;
    body_ += "<text x=\"24\" y=\"" + std::to_string(y_) + "\" fill=\"#444\">" + escaped(text) +
             "</text>\n";
  }
  /// A bar from 0 to 1 with a name to its left; `marked` of it is hatched.
  void bar(const std::string& name, double share, double marked, const char* colour,
           const std::string& text) {
    constexpr int kLeft = 330, kSpan = 420;
    body_ += "<text x=\"" + std::to_string(kLeft - 8) + "\" y=\"" + std::to_string(y_ + 16) +
             "\" text-anchor=\"end\">" + escaped(name) + "</text>\n" +
             rectangle(kLeft, y_ + 3, kSpan * share, 16, colour);
    if (marked > 0) body_ += rectangle(kLeft, y_ + 3, kSpan * marked, 16, "url(#data)");
    body_ += "<text x=\"" + std::to_string(kLeft + static_cast<int>(kSpan * share) + 8) +
             "\" y=\"" + std::to_string(y_ + 16) + "\" fill=\"#444\">" + escaped(text) +
             "</text>\n";
    y_ += kBarHeight;
  }
  /// The ring unrolled: `colour_of(column)` for each of kStripColumns.
  template <typename Colour>
  void strip(Colour colour_of, int height) {
    y_ += 8;
    const double step = static_cast<double>(kWidth - 2 * kMargin) / kStripColumns;
    for (int column = 0; column < kStripColumns; ++column) {
      const std::string colour = colour_of(column);
      if (!colour.empty())
        body_ += rectangle(kMargin + column * step, y_, step + 0.2, height, colour);
    }
    y_ += height + 4;
  }
  [[nodiscard]] std::string svg() const {
    const std::string height = std::to_string(y_ + kMargin);
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + std::to_string(kWidth) +
           "\" height=\"" + height + "\" viewBox=\"0 0 " + std::to_string(kWidth) + " " + height +
           "\" font-family=\"sans-serif\" font-size=\"12\">\n"
           "<defs><pattern id=\"data\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
           "patternTransform=\"rotate(45)\">"
           "<rect width=\"3\" height=\"6\" fill=\"#ffffff\" "
           "fill-opacity=\"0.65\"/></pattern></defs>\n"
           "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" +
           body_ + "</svg>\n";
  }

 private:
  static std::string rectangle(double x, double y, double width, double height,
                               const std::string& colour) {
    char text[200];
    std::snprintf(text, sizeof text,
                  "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n", x,
                  y, width, height, colour.c_str());
    return text;
  }
  std::string body_;
  int y_ = 0;
};

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f%%", 100 * share);
  return text;
}

/// The same pnode has the same colour in both rings.
using Colours = std::map<std::string, const char*>;

void choose_colours(const ring::Ring& ring, Colours& colours) {
  for (const std::string& pnode : ring.pnodes())
    if (!colours.contains(pnode))
      colours.emplace(pnode, kColours[colours.size() % kColours.size()]);
}

std::uint32_t first_vnode(const ring::Ring& ring, int column) {
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(ring.vnode_count()) *
                                    static_cast<std::uint64_t>(column) / kStripColumns);
}

void draw_shares(Picture& picture, const ring::Ring& ring, const std::string& title,
                 const Colours& colours) {
  std::vector<std::size_t> vnodes(ring.pnodes().size()), with_data(ring.pnodes().size());
  for (std::uint32_t v = 0; v < ring.vnode_count(); ++v)
    ++vnodes[number(ring.owner(static_cast<ring::Vnode>(v)))];
  for (const ring::Vnode vnode : ring.data_vnodes()) ++with_data[number(ring.owner(vnode))];
  const double most = static_cast<double>(*std::max_element(vnodes.begin(), vnodes.end()));
  picture.heading(title + ": " + std::to_string(ring.vnode_count()) + " vnodes, " +
                  std::to_string(vnodes.size()) + " pnodes");
  for (std::size_t i = 0; i < std::min(vnodes.size(), kRowsMax); ++i) {
    std::string text = std::to_string(vnodes[i]) + " (" +
                       percent(static_cast<double>(vnodes[i]) / ring.vnode_count()) + ")";
    if (with_data[i] > 0) text += ", " + std::to_string(with_data[i]) + " with data";
    picture.bar(short_name(ring.pnodes()[i], kNameMax), static_cast<double>(vnodes[i]) / most,
                static_cast<double>(with_data[i]) / most, colours.at(ring.pnodes()[i]), text);
  }
  if (vnodes.size() > kRowsMax)
    picture.line("and " + std::to_string(vnodes.size() - kRowsMax) + " more pnodes");
  picture.line("the ring from vnode 0 to " + std::to_string(ring.vnode_count() - 1) +
               ", by owner:");
  picture.strip(
      [&](int column) {
        return std::string(colours.at(
            ring.pnode_name(ring.owner(static_cast<ring::Vnode>(first_vnode(ring, column))))));
      },
      26);
}

void draw_moves(Picture& picture, const ring::Ring& before, const ring::Ring& after,
                const Colours& colours) {
  if (before.vnode_count() != after.vnode_count()) {
    picture.heading("The rings have different numbers of vnodes: every key may move");
    return;
  }
  std::map<std::pair<std::string, std::string>, std::size_t> flows;
  std::size_t moved = 0;
  const auto moves = [&](std::uint32_t v) {
    const auto vnode = static_cast<ring::Vnode>(v);
    return before.pnode_name(before.owner(vnode)) != after.pnode_name(after.owner(vnode));
  };
  for (std::uint32_t v = 0; v < before.vnode_count(); ++v) {
    if (!moves(v)) continue;
    const auto vnode = static_cast<ring::Vnode>(v);
    ++moved;
    ++flows[{before.pnode_name(before.owner(vnode)), after.pnode_name(after.owner(vnode))}];
  }
  picture.heading("What moves: " + std::to_string(moved) + " vnodes (" +
                  percent(static_cast<double>(moved) / before.vnode_count()) + ")");
  std::vector<std::pair<std::size_t, std::pair<std::string, std::string>>> largest;
  for (const auto& [way, count] : flows) largest.emplace_back(count, way);
  std::sort(largest.begin(), largest.end(), std::greater<>());
  for (std::size_t i = 0; i < std::min(largest.size(), kRowsMax); ++i) {
    const auto& [count, way] = largest[i];
    const std::string name =
        short_name(way.first, kNameMax / 2 - 1) + " → " + short_name(way.second, kNameMax / 2 - 1);
    picture.bar(name, static_cast<double>(count) / static_cast<double>(largest[0].first), 0,
                colours.at(way.second), std::to_string(count));
  }
  if (moved == 0) return;
  picture.line(
      "where, by new owner (a column stands for several vnodes and shows that any of them moves):");
  picture.strip(
      [&](int column) -> std::string {
        const std::uint32_t end =
            std::max(first_vnode(before, column) + 1, first_vnode(before, column + 1));
        for (std::uint32_t v = first_vnode(before, column); v < end && v < before.vnode_count();
             ++v)
          if (moves(v))
            return colours.at(after.pnode_name(after.owner(static_cast<ring::Vnode>(v))));
        return "#eeeeee";
      },
      26);
}

}  // namespace

void plot(const Options& options, const Streams& streams) {
  const auto& places = options.arguments();
  const std::string file = options.required("file");
  if (places.empty() || places.size() > 2) throw WrongUse("it takes one ring or two");
  const std::vector<std::string> backends = options.all("backend");
  std::vector<std::shared_ptr<const ring::Ring>> rings;
  Colours colours;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::string backend =
        backends.empty() ? "leveldb" : backends[std::min(i, backends.size() - 1)];
    if (backend != "leveldb" && backend != "memory")
      throw Failure("backend must be one of memory or leveldb");
    rings.push_back(
        load_ring({backend == "leveldb" ? Backend::leveldb : Backend::memory, places[i]}, streams));
    choose_colours(*rings.back(), colours);
  }
  Picture picture;
  for (std::size_t i = 0; i < rings.size(); ++i)
    draw_shares(picture, *rings[i], places[i], colours);
  if (rings.size() == 2) draw_moves(picture, *rings[0], *rings[1], colours);
  std::ofstream out(file, std::ios::binary);
  out << picture.svg();
  if (!out.flush()) throw Failure("can't write " + file);
}

}  // namespace ring_tool
