(() => {
  const box = document.getElementById("filter");
  const groups = [...document.querySelectorAll("tbody")];
  const words = groups.map((group) => group.textContent.toLowerCase());
  const count = document.querySelector("output");
  box.parentElement.hidden = false;
  box.addEventListener("input", () => {
    const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    groups.forEach((group, index) => {
      group.hidden = !wanted.every((word) => words[index].includes(word));
      shown += group.hidden ? 0 : 1;
    });
    count.textContent = wanted.length ? `${shown} of ${groups.length} routes` : "";
  });
})();
