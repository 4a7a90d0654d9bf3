// Compiles if index.d.ts says what is so: run-tests gives it to tsc where there is one.
import * as image from '..';

async function use(bytes: Uint8Array, source: image.ImageSource): Promise<void> {
  const packer: image.ImagePacker = image.createImagePacker({ threads: 2, memoryLimit: 1 << 28 });
  const map = await image.createPixelMap(bytes, {
    size: { width: 1, height: 1 }, srcPixelFormat: image.PixelMapFormat.RGBA_F32, cicp: [9, 16], contentLightLevel: { maxCll: 900 },
  });
  const report = new image.Report();
  const jpeg: ArrayBuffer = await packer.packToData(map, {
    format: 'image/jpeg', quality: 90, density: [72, 72], color: 'srgb', tail: 'cut', report, signal: AbortSignal.timeout(1000),
    settings: { 'hdr.form': 'signal' },
  });
  packer.packing(source, { format: ['image/png'], quality: 1 }, (error, data) => console.log(error?.causeCode, data?.byteLength));
  const warnings: string[] = report.warnings.filter(({ code }) => code === image.Warning.GPS_REMOVED).map(({ text }) => text);

  const picture: image.Picture = await source.createPicture();
  picture.xmp = '<x/>';
  picture.gps = picture.gps && { ...picture.gps, altitude: 3 };
  picture.density = 300;
  picture.gainMapParams = { alternateHeadroom: 2, gainMax: [2, 2, 2] };
  const main: image.PixelMap | null = picture.getMainPixelmap();
  const edited: ArrayBuffer = await image.editMetadata(source, picture);
  const nothing: void = await image.editMetadata(source, picture, 'a.jpg');

  for await (const { pixelMap, duration } of source.frames()) console.log(pixelMap.getPixelBytesNumber(), duration + 1);
  const gif: ArrayBuffer = await packer.packAnimation(source.frames(), { format: 'image/gif', loopCount: 0 });
  const film: void = await packer.packAnimation([map, { pixelMap: map, x: 3 }], { file: 'a.webp', format: 'image/webp' });
  const results: image.BatchResult[] = await packer.packBatch([map, { input: picture, options: { quality: 3 } }], {
    format: 'image/webp', quality: 80, folder: '.', names: ['a', 'b'], sameName: 'last', reports: true,
    onImage: (index, { error }) => console.log(index, error?.code),
  });
  console.log(warnings, main, jpeg, edited, nothing, gif, film, results[0].report?.milliseconds, image.formatFeatures('image/png') & image.FormatFeature.HDR);

  // @ts-expect-error: no such option
  await packer.packToData(map, { format: 'image/png', quality: 1, colour: 'srgb' });
  // @ts-expect-error: quality is missing
  await packer.packToFile(map, 1, { format: 'image/png' });
  // @ts-expect-error: no such property
  picture.setProperty('iso', '100');
}
void use;
